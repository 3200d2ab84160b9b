"""The family of verifiers, which give each sample a score, a decision, or an abstention."""

from collections.abc import Callable, Sequence
from inspect import getattr_static
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
from typing_extensions import override

from ..cards import Brief
from ..errors import ContractError, CorruptFileError, VeriloopError
from ..generator import Generator
from ..judge import Judge
from ..parts import Part
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts

V = TypeVar("V", bound="Verifier")


class AwaitingVerdicts(VeriloopError):
    """People have not judged all samples yet: nothing failed, but the run has to wait.

    `Verifier.verify` raises it without changing anything. The caller then calls :meth:`ask`, and tries again
    when people have judged. The loop does this for all chunks of a wave together.

    Args:
        missing: Number of samples without verdicts.
        where: Where people judge them.
        ask: Function that submits the samples to people; picklable.
    """

    def __init__(self, missing: int, where: str, ask: Sequence[Callable[[], object]]) -> None:
        self.missing: int = missing
        self.where: str = where
        self._ask = tuple(ask)
        samples = "1 sample" if missing == 1 else f"{missing:,} samples"
        super().__init__(f"waiting for people's verdicts on {samples}, in {where}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.missing, self.where, self._ask)

    @classmethod
    def together(cls, waiting: "Sequence[AwaitingVerdicts]") -> "AwaitingVerdicts":
        """Join all of ``waiting``, at least one, into one."""
        where = ", ".join(dict.fromkeys(w.where for w in waiting))
        return cls(sum(w.missing for w in waiting), where, [ask for w in waiting for ask in w._ask])

    def ask(self) -> None:
        """Submit the samples to people."""
        for ask in self._ask:
            ask()


PLACE = ("_arm", "_round", "_chunk", "_row")
"""Columns that the loop adds to a verifier's samples, besides the data: where each was made."""


class AsConfigured(Judge):
    """The judge of a verifier that learns nothing, and so consists of its configuration only.

    Args:
        verifier: Verifier whose ``verify`` judges.
    """

    def __init__(self, verifier: "Verifier") -> None:
        self.verifier: Verifier = verifier

    @property
    @override
    def in_pieces(self) -> bool:
        return self.verifier.in_pieces

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return self.verifier.verify(samples, rng)

    @override
    def save(self, directory: Path) -> None:
        write_configuration(self.verifier, directory / CONFIGURED)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        return cls(read_configuration(directory / CONFIGURED, Verifier))


CONFIGURED = "verifier.json"
"""File in which a judge stores its verifier's configuration."""


def write_configuration(verifier: "Verifier", path: Path) -> None:
    """Write the file that `read_configuration` reads, for judges that store their verifier."""
    path.write_text(verifier.model_dump_json() + "\n")


def read_configuration(path: Path, kind: type[V]) -> V:
    """Read the verifier, of class ``kind``, whose configuration is in ``path``.

    Raises:
        CorruptFileError: The file is missing, truncated or changed.
    """
    try:
        verifier = Verifier.model_validate_json(path.read_bytes())
    except (OSError, ValueError) as e:
        raise CorruptFileError(f"configuration of a judge {path} cannot be read ({e})") from e
    if not isinstance(verifier, kind):
        raise CorruptFileError(
            f"configuration of a judge {path}", got=type(verifier).__name__, expected=kind.__name__
        )
    return verifier


class Verifier(Part, frozen=True):
    """How samples are judged. The fields are the configuration; what is learned goes into a `Judge`.

    A verifier that learns nothing overrides :meth:`verify`. One that learns overrides :meth:`fit` and sets
    ``judge_type`` to the class of its judges, which saves and loads what was learned.

    In every round of an arm, the loop calls :meth:`fit` once, then the judge's ``verify`` for each chunk of
    candidates (possibly in other processes, so a judge must be picklable), then the judge's ``save``. On
    resume it calls :meth:`load`.

    Class attributes:
        judge_type: Class of the judges that :meth:`fit` returns.
    """

    family: ClassVar[str] = "veriloop.verifiers"
    judge_type: ClassVar[type[Judge]] = AsConfigured

    @property
    def calibrated(self) -> bool:
        """Whether a score is the probability that the sample is real, as the density ratio rule needs."""
        return False

    @property
    def only_scores(self) -> bool:
        """Whether it always leaves decisions to the acceptance rule."""
        return False

    @property
    def in_pieces(self) -> bool:
        """As `Judge.in_pieces`, for a verifier that learns nothing."""
        return False

    def verdict_stores(self) -> tuple[str, ...]:
        """URLs of the databases in which people judge for it, without those of nested verifiers."""
        return ()

    def brief(self) -> Brief | None:
        """The task as shown to people who judge for it; None if nobody does."""
        return None

    def check_verdicts(self, asked: bool) -> None:
        """Check that people's verdicts still exist, before a run continues. Does nothing unless overridden.

        Args:
            asked: Whether the run has certainly submitted samples to people.

        Raises:
            StorageError: The verdicts are missing or cannot be read.
        """

    @override
    def suited_to(self, schema: Schema) -> Self:
        """Adapt it to the data, as in `Part.suited_to`.

        Raises:
            ConfigError: It cannot work with such data.
            ContractError: Its class cannot judge, or stores what it learns where it would be lost.
        """
        _check_class(type(self))
        return super().suited_to(schema)

    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        """Return the judge for a round. A verifier that learns nothing is its own judge.

        Args:
            previous: This arm's judge of the round before; None in round 1.
            generator: Model whose samples will be judged.
            real: Real samples that the verifier may learn from.
            rng: The only source of randomness.
        """
        return AsConfigured(self)

    def load(self, directory: Path) -> Judge:
        """Load the judge that was saved to ``directory``.

        Raises:
            CorruptFileError: A file is missing, truncated or changed.
        """
        return AsConfigured(self) if self.judge_type is AsConfigured else self.judge_type.load(directory)

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Judge ``samples``, for a verifier that learns nothing; see `Judge.verify`.

        Raises:
            ContractError: This verifier learns, so the judge returned by :meth:`fit` must be used.
        """
        raise ContractError(
            f"{type(self).__name__} does not define verify",
            expected="a method verify(samples, rng), or fit(previous, generator, real, rng) with a judge",
        )


FIT = "fit(previous, generator, real, rng) -> Judge"


def _check_class(kind: type[Verifier]) -> None:
    """Report in one line what the author of a verifier has misunderstood."""
    name, fits, judges = kind.__name__, kind.fit is not Verifier.fit, kind.verify is not Verifier.verify
    if callable(getattr(kind, "update", None)):
        raise ContractError(
            f"verifier {name} has a method update, which is never called",
            expected=FIT,
            fix="put what is learned in a Judge with verify, save and load, and set judge_type to its class",
        )
    if kind.__private_attributes__:
        raise ContractError(
            f"verifier {name} has private attributes, which are not saved in the run folder",
            got=", ".join(kind.__private_attributes__),
            expected=FIT,
            fix="put what is learned in the Judge that fit returns",
        )
    if not (fits or judges):
        raise ContractError(
            f"verifier {name} cannot judge", expected=f"a method verify(samples, rng), or {FIT}"
        )
    # Looked up without accessing the class itself, which may import a library for seconds.
    if fits and getattr_static(kind, "judge_type") is AsConfigured and kind.load is Verifier.load:
        raise ContractError(
            f"verifier {name} learns, but does not declare the class of its judges",
            expected="judge_type, the class that fit returns, which is used to load it",
        )
