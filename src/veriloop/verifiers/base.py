"""The family of verifiers: whatever says of a sample how good it is, or yes, no, or cannot tell."""

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from ..generator import Generator
from ..parts import Part
from ..samples import Samples
from ..verdicts import Verdicts


class Verifier(Part, frozen=True):
    """Judges samples. Its fields are its configuration; what it has learned is private state.

    The loop calls, in every round of an arm: :meth:`update` once, then :meth:`verify` for each chunk of
    candidates (maybe in other processes, so a verifier must be picklable), then :meth:`save`.
    On resume, :meth:`load` brings back the state that :meth:`save` wrote.
    """

    family: ClassVar[str] = "veriloop.verifiers"

    @abstractmethod
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Judge every one of ``samples``: one verdict each, in the same order.

        A verdict must depend on the sample and ``rng`` only, not on which other samples stand beside it.
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
