"""Parts of a run whose truth is known: the mean of a normal, learned again and again from its own samples.

Along its p directions this is the linear system without a verifier: the expected squared error after round k
is p (1 / n_0 + 1 / n_1 + ... + 1 / n_k).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from veriloop.datasets.base import Dataset, RealData
from veriloop.generator import Generator
from veriloop.learners.base import Learner
from veriloop.metrics.base import Evaluation, Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.rng import Address
from veriloop.samples import Samples

P, START = 20, 100


class Normal(Dataset, frozen=True):
    """Rows of the standard normal in `P` dimensions; the start set is drawn by the seed."""

    @override
    def load(self, seed: int) -> RealData:
        x = Samples(x=Address(seed).rng().standard_normal((START + 10, P)))
        start = x.select(slice(START))
        return RealData(start=start, train=start, test=x.select(slice(START, None)))


class Mean(Generator):
    """A normal of variance 1 in each direction around ``theta``, shape (P,)."""

    def __init__(self, theta: NDArray[np.float64]) -> None:
        self.theta = theta

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return Samples(x=self.theta + rng.standard_normal((n, P)))

    @override
    def save(self, directory: Path) -> None:
        np.save(directory / "theta.npy", self.theta)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        return cls(np.load(directory / "theta.npy"))


class Means(Learner, frozen=True):
    """The mean of the training set."""

    generator_type: ClassVar[type[Generator]] = Mean

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Mean:
        return Mean(samples.array("x").mean(axis=0))


class SquaredError(Metric, frozen=True):
    """``error``: the squared distance of the model from the truth, exactly."""

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "error": Quantity("Squared error", better="lower", low=0, meaning="Of the mean, over all directions.")
    }

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        assert isinstance(evaluation.generator, Mean)
        return {"error": Estimate(float((evaluation.generator.theta**2).sum()), 0.0)}
