"""A Gaussian: the model for which collapse was first computed."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..generator import Generator
from ..samples import Samples
from ..schema import Schema
from ._numbers import NUMERIC, Floats, Layout, load_model, made_of, save_model, training_rows
from .base import Learner

MODEL = "gaussian.safetensors"

Covariance = Literal["full", "diagonal", "spherical"]


class GaussianGenerator(Generator):
    """Rows from a normal distribution.

    Args:
        mean: Mean, shape (d,).
        covariance: Covariance, shape (d, d).
        layout: Columns that the d numbers belong to.
        scale: Factor on the covariance for sampling.
    """

    def __init__(self, mean: Floats, covariance: Floats, layout: Layout, scale: float = 1.0) -> None:
        self.mean: Floats = mean
        self.covariance: Floats = covariance
        self.layout: Layout = layout
        self.scale: float = scale
        # Root by eigenvalues, because a collapsed covariance has no Cholesky factor.
        values, vectors = np.linalg.eigh(covariance)
        self._root = vectors * np.sqrt(np.clip(values, 0, None))

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        noise = rng.standard_normal((n, len(self.mean)))
        return Samples(**self.layout.columns(self.mean + np.sqrt(self.scale) * noise @ self._root.T))

    def log_density(self, samples: Samples) -> Floats:
        """Return the log density of each of n samples, in nats, shape (n,); -inf off the support."""
        centred = self.layout.matrix(samples) - self.mean
        values, vectors = np.linalg.eigh(self.scale * self.covariance)
        if values.min() <= 0:
            return np.full(len(samples), -np.inf)
        squares = ((centred @ vectors) ** 2 / values).sum(1)
        return -0.5 * (squares + np.log(2 * np.pi * values).sum())

    @override
    def save(self, directory: Path) -> None:
        arrays = {"mean": self.mean, "covariance": self.covariance}
        save_model(directory / MODEL, arrays, self.layout, scale=self.scale)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        arrays, layout, settings = load_model(directory / MODEL)
        return cls(arrays["mean"], arrays["covariance"], layout, float(str(settings["scale"])))


class Gaussian(Learner, frozen=True):
    """Mean and covariance of all number and vector columns together.

    Attributes:
        covariance: Form of the covariance: full, its diagonal, or one variance for all directions.
        ddof: Number subtracted from n in the covariance: 1 for the unbiased estimate, 0 for maximum
            likelihood.
        scale: Sampling bias (often called lambda): factor on the covariance for sampling. 1 samples the model
            itself, 0 only its mean.
    """

    generator_type: ClassVar[type[Generator]] = GaussianGenerator

    covariance: Covariance = "full"
    ddof: Annotated[int, Field(ge=0, le=1)] = 1
    scale: Annotated[float, Field(ge=0)] = 1.0

    @override
    def suited_to(self, schema: Schema) -> Self:
        made_of(schema, "learner 'gaussian'", NUMERIC)
        return super().suited_to(schema)

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> GaussianGenerator:
        layout, rows = training_rows(samples, list(samples), "learner 'gaussian'", 1 + self.ddof)
        mean = rows.mean(0)
        centred = rows - mean
        covariance = centred.T @ centred / (len(rows) - self.ddof)
        if self.covariance != "full":
            spread = np.diag(covariance)
            if self.covariance == "spherical":
                spread = np.full(len(mean), spread.mean())
            covariance = np.diag(spread)
        return GaussianGenerator(mean, covariance, layout, self.scale)
