"""The family of learners, which turn samples into a generator."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from ..cards import PromptCard
from ..generator import Generator
from ..parts import Part
from ..samples import Samples


class Learner(Part, frozen=True):
    """Trains generators. Its fields are its hyper-parameters.

    Class attributes:
        generator_type: Class of the generators it makes, used to load them from a run folder.
    """

    family: ClassVar[str] = "veriloop.learners"
    generator_type: ClassVar[type[Generator]]

    @abstractmethod
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Generator:
        """Train a model on ``samples``.

        Args:
            samples: Training set, at least one sample.
            init: Model to start from (warm start), or None to start from scratch. It is not changed.
            rng: The only source of randomness; equal arguments and state give equal weights.

        Raises:
            DataError: The samples do not fit this learner.
        """

    def rows_seen(self, n: int) -> int | None:
        """Return the most rows, with repetitions, that pass through the model in a fit on ``n`` rows.

        A preview uses it to estimate training time. None: proportional to the number of rows.
        """
        return None

    @property
    def draws(self) -> bool:
        """Whether its models sample. False if equal conditions always give equal samples."""
        return True

    @property
    def chunk_rows(self) -> int:
        """Default number of candidates per chunk: some seconds of work."""
        return 2_000

    @property
    def fills_cores(self) -> bool:
        """Whether one fit, or one call of ``sample``, keeps all cores of its process busy."""
        return False

    def settled(self) -> tuple[Mapping[str, Any], str]:
        """Return settings that only a trial on this machine can choose, by field, with a reason or "".

        A run calls it once, before its first round, and stores the answer in its manifest. Empty by default.
        """
        return {}, ""

    def prompt_card(self) -> PromptCard | None:
        """Describe how its prompts are built; None if it writes no text.

        Called on the result of :meth:`suited_to`.
        """
        return None

    def starts_from(self) -> str | None:
        """Name of the trained model that a new fit starts from; None if it starts from scratch."""
        return None
