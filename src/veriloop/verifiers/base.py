"""The family of verifiers: whatever says of a sample how good it is, or yes, no, or cannot tell."""

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
    """People have not judged all samples yet: nothing failed, but the run cannot go on for now.

    `Verifier.verify` raises it, and has changed nothing. Who wants the verdicts calls :meth:`ask`, and comes
    back when people have given them. The loop does so for all chunks of a wave together.

    Args:
        missing: How many samples lack verdicts.
        where: Where people give them.
        ask: What puts the samples before people; picklable.
    """

    def __init__(self, missing: int, where: str, ask: Sequence[Callable[[], object]]) -> None:
        self.missing, self.where, self._ask = missing, where, tuple(ask)
        samples = "1 sample" if missing == 1 else f"{missing:,} samples"
        super().__init__(f"waiting for verdicts of people on {samples}, in {where}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.missing, self.where, self._ask)

    @classmethod
    def together(cls, waiting: "Sequence[AwaitingVerdicts]") -> "AwaitingVerdicts":
        """All of ``waiting``, at least one, as one."""
        where = ", ".join(dict.fromkeys(w.where for w in waiting))
        return cls(sum(w.missing for w in waiting), where, [ask for w in waiting for ask in w._ask])

    def ask(self) -> None:
        """Put the samples before people."""
        for ask in self._ask:
            ask()


PLACE = ("_arm", "_round", "_chunk", "_row")
"""Columns of the samples that the loop gives to a verifier, beside the data: where each was made."""


class AsConfigured(Judge):
    """The judge of a verifier that learns nothing: its configuration is all there is.

    Args:
        verifier: It judges by its own ``verify``.
    """

    def __init__(self, verifier: "Verifier") -> None:
        self.verifier = verifier

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
"""The file in which a judge keeps the configuration of its verifier."""


def write_configuration(verifier: "Verifier", path: Path) -> None:
    """Write what `read_configuration` reads: for judges that keep their verifier."""
    path.write_text(verifier.model_dump_json() + "\n")


def read_configuration(path: Path, kind: type[V]) -> V:
    """The verifier, one of ``kind``, whose configuration lies in ``path``.

    Raises:
        CorruptFileError: The file is missing, cut short or changed.
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
    """How samples are judged. Its fields are its configuration; what is learned is a `Judge`.

    A verifier that learns nothing overrides :meth:`verify`. One that learns overrides :meth:`fit`, names the
    class of its judges in ``judge_type``, and that class saves and loads what was learned.

    The loop calls, in every round of an arm: :meth:`fit` once, then the judge's ``verify`` for each chunk of
    candidates (maybe in other processes, so a judge must be picklable), then the judge's ``save``. On resume
    it calls :meth:`load`.

    Class attributes:
        judge_type: What :meth:`fit` returns.
    """

    family: ClassVar[str] = "veriloop.verifiers"
    judge_type: ClassVar[type[Judge]] = AsConfigured

    @property
    def calibrated(self) -> bool:
        """Whether a score is the probability that the sample is real, as a rule by density ratio needs."""
        return False

    @property
    def only_scores(self) -> bool:
        """Whether it is known to leave all decisions to the acceptance rule."""
        return False

    @property
    def in_pieces(self) -> bool:
        """As `Judge.in_pieces`, for a verifier that learns nothing."""
        return False

    def verdict_stores(self) -> tuple[str, ...]:
        """The data bases in which people judge for it, as URLs; those of its members not counted."""
        return ()

    def brief(self) -> Brief | None:
        """What people who judge for it are asked; None where nobody does."""
        return None

    def check_verdicts(self, asked: bool) -> None:
        """Say if what people have said is gone; called before a run goes on. Nothing, unless overridden.

        Args:
            asked: Whether the run surely has put samples before people.

        Raises:
            StorageError: It is, or cannot be read.
        """

    @override
    def suited_to(self, schema: Schema) -> Self:
        """As in `Part.suited_to`.

        Raises:
            ConfigError: It cannot work on such data.
            ContractError: Its class has no way to judge, or keeps what it learns where it would be lost.
        """
        _check_class(type(self))
        return super().suited_to(schema)

    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        """The judge of a round. A verifier that learns nothing is its own judge.

        Args:
            previous: This arm's judge of the round before; None in round 1.
            generator: The model whose samples will be judged.
            real: The real samples that the verifier may learn from.
            rng: All randomness comes from it.
        """
        return AsConfigured(self)

    def load(self, directory: Path) -> Judge:
        """The judge that its ``save`` wrote to ``directory``.

        Raises:
            CorruptFileError: A file is missing, cut short or changed.
        """
        return AsConfigured(self) if self.judge_type is AsConfigured else self.judge_type.load(directory)

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Judge ``samples``, for a verifier that learns nothing; see `Judge.verify`.

        Raises:
            ContractError: This verifier learns: the judge that :meth:`fit` gives does the judging.
        """
        raise ContractError(
            f"{type(self).__name__} has no verify of its own",
            expected="a method verify(samples, rng), or fit(previous, generator, real, rng) with a judge",
        )


FIT = "fit(previous, generator, real, rng) -> Judge"


def _check_class(kind: type[Verifier]) -> None:
    """Say in one line what the author of a verifier has misunderstood."""
    name, fits, judges = kind.__name__, kind.fit is not Verifier.fit, kind.verify is not Verifier.verify
    if callable(getattr(kind, "update", None)):
        raise ContractError(
            f"verifier {name} has a method update, which nobody calls",
            expected=FIT,
            fix="what a verifier learns is a Judge, with verify, save and load; judge_type names its class",
        )
    if kind.__private_attributes__:
        raise ContractError(
            f"verifier {name} has private attributes, which no run folder keeps",
            got=", ".join(kind.__private_attributes__),
            expected=FIT,
            fix="keep what is learned in the Judge that fit returns",
        )
    if not (fits or judges):
        raise ContractError(
            f"verifier {name} has no way to judge", expected=f"a method verify(samples, rng), or {FIT}"
        )
    # Looked up without a look at the class itself, which may import a library for seconds.
    if fits and getattr_static(kind, "judge_type") is AsConfigured and kind.load is Verifier.load:
        raise ContractError(
            f"verifier {name} learns, and does not name the class of its judges",
            expected="judge_type, the class that fit returns, by which a run folder loads it",
        )
