"""The family of verifiers: whatever says of a sample how good it is, or yes, no, or cannot tell."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ..errors import VeriloopError
from ..generator import Generator
from ..parts import Part
from ..samples import Samples
from ..verdicts import Verdicts


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


class Verifier(Part, frozen=True):
    """Judges samples. Its fields are its configuration; what it has learned is private state.

    The loop calls, in every round of an arm: :meth:`update` once, then :meth:`verify` for each chunk of
    candidates (maybe in other processes, so a verifier must be picklable), then :meth:`save`.
    On resume, :meth:`load` brings back the state that :meth:`save` wrote.
    """

    family: ClassVar[str] = "veriloop.verifiers"

    @property
    def calibrated(self) -> bool:
        """Whether a score is the probability that the sample is real, as a rule by density ratio needs."""
        return False

    def check_ahead(self, columns: Sequence[str]) -> None:
        """Say what is wrong before a run computes anything. Nothing, unless overridden.

        Args:
            columns: The names of all columns that the candidates will have.

        Raises:
            ConfigError: The verifier could not judge such candidates.
            DataError: Likewise, because of the data.
        """

    @abstractmethod
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Judge every one of ``samples``: one verdict each, in the same order.

        A verdict must depend on the sample and ``rng`` only, not on which other samples stand beside it.
        The loop adds the columns `PLACE`, which say where a sample was made, for verifiers that show it to
        somebody; a verdict must not depend on them.

        Raises:
            AwaitingVerdicts: People have to judge some of the samples first.
        """

    def update(self, generator: Generator, real: Samples, rng: np.random.Generator) -> Self:
        """A verifier that has learned to judge this generator; a verifier that does not learn returns itself.

        Args:
            generator: The model whose samples will be judged.
            real: The real samples that the verifier may learn from.
            rng: All randomness comes from it.
        """
        return self

    def save(self, directory: Path) -> None:
        """Write what was learned into the existing ``directory``. Nothing, unless overridden."""

    def load(self, directory: Path) -> Self:
        """This verifier with the state that :meth:`save` wrote to ``directory``."""
        return self
