"""The family of learners: whatever turns samples into a generator."""

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
        generator_type: The class of the generators it makes, by which a run folder loads them.
    """

    family: ClassVar[str] = "veriloop.learners"
    generator_type: ClassVar[type[Generator]]

    @abstractmethod
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Generator:
        """Train a model on ``samples``.

        Args:
            samples: The training set, at least one sample.
            init: A model to start from (warm start), or None for a fresh one. It is not changed.
            rng: All randomness comes from it: equal arguments and state give equal weights.

        Raises:
            DataError: The samples do not fit this learner.
        """

    def rows_seen(self, n: int) -> int | None:
        """How many rows go through the model at most when it is trained on ``n``, repetitions included.

        A preview reckons from it how long a training will take. None: as many times as many for more rows.
        """
        return None

    @property
    def draws(self) -> bool:
        """Whether its models draw. False where equal conditions always give equal samples."""
        return True

    @property
    def chunk_rows(self) -> int:
        """How many candidates are made at a time where a plan does not say: some seconds of work."""
        return 2_000

    @property
    def fills_cores(self) -> bool:
        """Whether one fit, or one call of ``sample``, keeps all cores of its process busy."""
        return False

    def settled(self) -> tuple[Mapping[str, Any], str]:
        """Settings that only a try on this machine can choose, by field, and why, in one line or "".

        A run asks once, before its first round, and keeps the answer in its manifest. None by default.
        """
        return {}, ""

    def prompt_card(self) -> PromptCard | None:
        """How its prompts are made; None where it writes no text.

        Called on the learner that :meth:`suited_to` gave.
        """
        return None

    def starts_from(self) -> str | None:
        """The trained model that a fresh fit begins with, by its name; None where it begins with nothing."""
        return None
