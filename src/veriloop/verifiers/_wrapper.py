"""Verifiers that change the verdicts of another one."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from pydantic import SerializeAsAny
from typing_extensions import override

from ..errors import CorruptFileError
from ..generator import Generator
from ..judge import Judge
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from .base import AsConfigured, Verifier, read_configuration, write_configuration

W = TypeVar("W", bound="Wrapper")


class WrapperJudge(Judge, Generic[W]):
    """A judge that changes the verdicts of another one.

    Args:
        wrapper: Configuration.
        judge: Judge that gives the verdicts.

    Class attributes:
        file: File of the configuration, named for the wrapper's kind, next to the files of the inner judge.
    """

    file: ClassVar[str]

    def __init__(self, wrapper: W, judge: Judge) -> None:
        self.wrapper: W = wrapper
        self.judge: Judge = judge

    @property
    @override
    def in_pieces(self) -> bool:
        return self.judge.in_pieces

    @override
    def save(self, directory: Path) -> None:
        self.judge.save(directory)
        write_configuration(self.wrapper, directory / self.file)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        wrapper: Any = read_configuration(directory / cls.file, Wrapper)
        kind = cls.file.removesuffix(".json")
        if wrapper.kind != kind:
            raise CorruptFileError(
                f"configuration of a judge {directory / cls.file}", got=wrapper.kind, expected=kind
            )
        return cls(wrapper, wrapper.verifier.load(directory))


class Wrapper(Verifier, frozen=True):
    """A verifier that changes the verdicts of another one.

    Attributes:
        verifier: Verifier that gives the verdicts.
    """

    verifier: SerializeAsAny[Verifier]

    @abstractmethod
    def around(self, judge: Judge) -> Judge:
        """Return the judge that changes the verdicts of ``judge``."""

    @override
    def check_verdicts(self, asked: bool) -> None:
        self.verifier.check_verdicts(asked)

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = self.verifier.suited_to(schema)
        return super().suited_to(schema).model_copy(update={"verifier": suited})

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str]:
        return self.verifier.check_ahead(schema) or ()

    @override
    def check_data(self, real: Samples) -> None:
        self.verifier.check_data(real)

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        before = previous.judge if isinstance(previous, WrapperJudge) else None
        return self.around(self.verifier.fit(before, generator, real, rng))

    @override
    def load(self, directory: Path) -> Judge:
        return self.around(self.verifier.load(directory))

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return self.around(AsConfigured(self.verifier)).verify(samples, rng)
