"""Generator: a trained generative model, made by learners, sampled by the loop, judged by metrics."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .fitted import Fitted
from .samples import Samples


class Generator(Fitted):
    """A trained generative model; immutable, and picklable so that other processes can sample it."""

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        """Draw ``n`` samples.

        Args:
            n: How many, at least 0.
            rng: All randomness comes from it: an equal state gives equal samples.
            condition: ``n`` rows to condition on (labels, prompts), or None for an unconditional
                model. Its columns are part of the result.

        Returns:
            ``n`` samples with the columns of the training data.

        Raises:
            DataError: The model needs a condition and got none, or one of another length.
        """


CUT = "_cut"
"""A column of what is trained on, shape (n,): which texts were cut at their greatest length."""


class Notes(NamedTuple):
    """What a writer of texts notes of n of them, beside the texts.

    Attributes:
        cut: Which have been cut at their greatest length, shape (n,).
        reason: Why a text was not written; "" where it was; n texts, or none where all were.
        tokens: How many tokens each text has, the one that ends it not counted, shape (n,); None where
            that is not known.
    """

    cut: NDArray[np.bool_]
    reason: Sequence[str] = ()
    tokens: NDArray[np.int64] | None = None

    def first(self, n: int) -> "Notes":
        """Of the first ``n`` texts only."""
        tokens = None if self.tokens is None else self.tokens[:n]
        return Notes(self.cut[:n], self.reason[:n], tokens)


class Annotates(Protocol):
    """A generator that can say more of its samples than they hold, such as which texts were cut."""

    def sample_with_notes(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> tuple[Samples, Notes]:
        """The same samples as `Generator.sample`, and notes on them."""
        ...
