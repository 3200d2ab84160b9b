"""Ordinary least squares as a generative model of labels: the learner of the paper's linear system."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from typing_extensions import override

from ..errors import CorruptFileError, DataError
from ..generator import Generator
from ..samples import Samples
from .base import Learner

WEIGHTS = "ols.safetensors"


class LinearGenerator(Generator):
    """Labels ``y = x^T theta + N(0, sigma^2)`` for given covariates ``x``."""

    def __init__(self, theta: NDArray[np.float64], sigma: float) -> None:
        self.theta, self.sigma = theta, sigma

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        if condition is None or len(condition) != n:
            got = "none" if condition is None else len(condition)
            raise DataError("conditions of a linear model", got=got, expected=f"{n} rows with a column 'x'")
        mean = condition.array("x") @ self.theta
        return condition.with_columns(y=mean + self.sigma * rng.standard_normal(n))

    @override
    def save(self, directory: Path) -> None:
        save_file({"theta": self.theta, "sigma": np.array([self.sigma])}, directory / WEIGHTS)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        try:
            weights = load_file(directory / WEIGHTS)
            return cls(weights["theta"], float(weights["sigma"][0]))
        except (OSError, SafetensorError, KeyError) as e:
            raise CorruptFileError(f"weights {directory / WEIGHTS} cannot be read ({e})") from e


class OLS(Learner, frozen=True):
    """Least squares on the columns ``x`` and ``y``. A warm start changes nothing: the fit has one solution.

    Attributes:
        sigma: Standard deviation of the noise that the fitted model adds to its labels; known, not
            estimated, as in the paper.
    """

    generator_type: ClassVar[type[Generator]] = LinearGenerator

    sigma: Annotated[float, Field(gt=0)] = 1.0

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> LinearGenerator:
        x, y = samples.array("x"), samples.array("y")
        theta, _, rank, _ = np.linalg.lstsq(x, y)
        if rank < x.shape[1]:
            raise DataError(
                "least squares without a unique solution", got=f"rank {rank}", expected=x.shape[1]
            )
        return LinearGenerator(theta, self.sigma)
