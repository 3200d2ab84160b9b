"""Generator: a trained generative model. Learners make it, the loop samples it, metrics measure it."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .fitted import Fitted
from .samples import Samples


class Generator(Fitted):
    """A trained generative model. Immutable, and picklable so that other processes can sample it."""

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        """Draw ``n`` samples.

        Args:
            n: Number of samples, at least 0.
            rng: The only source of randomness; an equal state gives equal samples.
            condition: ``n`` rows to condition on (labels, prompts), or None for an unconditional model. Its
                columns are part of the result.

        Returns:
            ``n`` samples with the columns of the training data.

        Raises:
            DataError: The model needs a condition and got none, or one with another number of rows.
        """


CUT = "_cut"
"""Name of a column in training data, shape (n,): which texts were cut at the length limit."""


class Notes(NamedTuple):
    """Notes of a text writer on n texts.

    Attributes:
        cut: Which texts were cut at the length limit, shape (n,).
        reason: Why a text was not written, or "" if it was; n texts, or empty if all were written.
        tokens: Number of tokens of each text, without the end token, shape (n,); None if unknown.
    """

    cut: NDArray[np.bool_]
    reason: Sequence[str] = ()
    tokens: NDArray[np.int64] | None = None

    def first(self, n: int) -> "Notes":
        """Return the notes on the first ``n`` texts only."""
        tokens = None if self.tokens is None else self.tokens[:n]
        return Notes(self.cut[:n], self.reason[:n], tokens)


class Annotates(Protocol):
    """A generator that adds notes to its samples, such as which texts were cut."""

    def sample_with_notes(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> tuple[Samples, Notes]:
        """Return the same samples as `Generator.sample`, with notes."""
        ...
