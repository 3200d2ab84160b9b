"""Verifiers of digits that are good, poor and perverse, for `reverify.py`."""

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from veriloop.samples import Samples
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import Verifier


class Coin(Verifier, frozen=True):
    """Scores at random: it selects nothing."""

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return Verdicts(rng.random(len(samples)))


class LooksLike(Verifier, frozen=True):
    """Scores by likeness to the mean image of one digit: biased to that class, whichever was asked for.

    Attributes:
        digit: Its class.
    """

    digit: int = 1

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        real = _real()
        mean = real.array("pixels")[real.array("label") == self.digit].mean(axis=0)
        return Verdicts(-_distances(samples.array("pixels"), mean[None])[:, 0])


class Nearest(Verifier, frozen=True):
    """Scores by the distance to the nearest real image of the same digit: a reference."""

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        real, score = _real(), np.empty(len(samples))
        pixels, label = samples.array("pixels"), samples.array("label")
        for digit in np.unique(label):
            rows = label == digit
            same = real.array("pixels")[real.array("label") == digit]
            score[rows] = -_distances(pixels[rows], same).min(axis=1)
        return Verdicts(score)


def _real() -> Samples:
    from veriloop.datasets.digits import Digits
    from veriloop.loop.data import load_data

    return load_data(Digits(start=25), 0).train


def _distances(some: NDArray, others: NDArray) -> NDArray[np.float64]:
    a, b = (x.reshape(len(x), -1).astype(float) for x in (some, others))
    return (a**2).sum(axis=1)[:, None] - 2 * a @ b.T + (b**2).sum(axis=1)
