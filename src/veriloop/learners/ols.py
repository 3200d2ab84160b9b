"""Ordinary least squares as a generative model of labels: the learner of the paper's linear system."""

import json
from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors
from typing_extensions import override

from ..errors import ConfigError, CorruptFileError, DataError
from ..generator import Generator
from ..samples import Samples
from ..schema import Role, Schema
from .base import Learner

WEIGHTS = "ols.safetensors"


class LinearGenerator(Generator):
    """Labels ``y = x^T theta + N(0, sigma^2)`` for given covariates ``x``.

    Args:
        theta: Coefficients, shape (p,).
        sigma: Standard deviation of the noise.
        x: Name of the covariate column.
        y: Name of the label column.
    """

    def __init__(self, theta: NDArray[np.float64], sigma: float, x: str = "x", y: str = "y") -> None:
        self.theta: NDArray[np.float64] = theta
        self.sigma: float = sigma
        self.x: str = x
        self.y: str = y

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        if condition is None or len(condition) != n:
            got = "none" if condition is None else len(condition)
            raise DataError(
                "conditions of a linear model", got=got, expected=f"{n} rows with a column {self.x!r}"
            )
        mean = condition.array(self.x) @ self.theta
        return condition.with_columns(**{self.y: mean + self.sigma * rng.standard_normal(n)})

    @override
    def save(self, directory: Path) -> None:
        weights = {"theta": self.theta, "sigma": np.array([self.sigma])}
        # One metadata entry, because the library writes several in any order, and equal models need equal
        # bytes.
        columns = {"columns": json.dumps([self.x, self.y])}
        # Written here, because the library has its own error for a full disk.
        (directory / WEIGHTS).write_bytes(to_safetensors(weights, columns))

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        try:
            with safe_open(directory / WEIGHTS, "np") as file:
                x, y = json.loads(file.metadata()["columns"])
                theta, sigma = file.get_tensor("theta"), file.get_tensor("sigma")
                return cls(theta, float(sigma[0]), x, y)
        except (OSError, SafetensorError, KeyError, TypeError, IndexError, ValueError) as e:
            raise CorruptFileError(f"weights {directory / WEIGHTS} cannot be read ({e})") from e


class OLS(Learner, frozen=True):
    """Least squares of a number on a vector. A warm start has no effect, because the fit has one solution.

    Attributes:
        sigma: Standard deviation of the noise that the fitted model adds to its labels; known, not estimated,
            as in the paper.
        x: Name of the covariate column; None: the data's only vector.
        y: Name of the label column; None: the data's only number.
    """

    generator_type: ClassVar[type[Generator]] = LinearGenerator
    needs: ClassVar[tuple[Role, ...]] = ("vector", "number")

    sigma: Annotated[FiniteFloat, Field(gt=0)] = 1.0
    x: str | None = None
    y: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        # If the column is set, it need not be the only one of its role, as `needs` would require.
        asked_by = "learner 'ols'"
        x = self.x or schema.one("vector", asked_by)
        y = self.y or schema.one("number", asked_by)
        schema.column(x, f"{asked_by}: x", "vector")
        schema.column(y, f"{asked_by}: y", "number")
        for name, given in ((x, True), (y, False)):
            if schema[name].given is not given:
                raise ConfigError(
                    f"{asked_by}: column {name!r}",
                    got="given" if schema[name].given else "made",
                    expected="a given vector and a generated number",
                )
        return self.model_copy(update={"x": x, "y": y})

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> LinearGenerator:
        names = self.x or "x", self.y or "y"
        x, y = (samples.array(name) for name in names)
        theta, _, rank, _ = np.linalg.lstsq(x, y)
        if rank < x.shape[1]:
            raise DataError(
                "least squares without a unique solution", got=f"rank {rank}", expected=x.shape[1]
            )
        return LinearGenerator(theta, self.sigma, *names)
