"""Generator: a trained generative model, made by learners, sampled by the loop, judged by metrics."""

from abc import abstractmethod

import numpy as np

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
