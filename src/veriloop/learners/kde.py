"""A kernel density estimate: training rows with a little noise."""

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import logsumexp
from typing_extensions import override

from ..errors import CorruptFileError, DataError
from ..generator import Generator
from ..samples import Samples
from ..schema import Schema
from ._numbers import NUMERIC, Floats, Layout, load_model, made_of, save_model, training_rows
from .base import Learner

MODEL, ROWS = "kde.safetensors", "kde-rows.npz"
AT_A_TIME = 200
"""Number of rows whose distances to all training rows are in memory together."""


class KernelGenerator(Generator):
    """Random training rows, with noise on the numbers and with categories sometimes redrawn.

    Args:
        rows: Training rows.
        layout: Layout of the numeric columns.
        width: Standard deviation of the noise along each number, shape (d,).
        redraw: Probability that a category is redrawn from all training rows.
    """

    def __init__(self, rows: Samples, layout: Layout, width: Floats, redraw: float) -> None:
        self.rows: Samples = rows
        self.layout: Layout = layout
        self.width: Floats = width
        self.redraw: float = redraw
        self._matrix = layout.matrix(rows)
        self._categories = [name for name in rows if name not in layout.names]

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        chosen = rng.integers(len(self.rows), size=n)
        noise = self.width * rng.standard_normal((n, len(self.width)))
        made: dict[str, object] = dict(self.layout.columns(self._matrix[chosen] + noise))
        for name in self._categories:
            other = rng.integers(len(self.rows), size=n)
            from_row = np.where(rng.random(n) < self.redraw, other, chosen)
            made[name] = self.rows.only([name]).select(from_row)[name]
        return Samples(**{name: made[name] for name in self.rows})

    def log_density(self, samples: Samples) -> Floats:
        """Return the log density of each of n samples, in nats, shape (n,); -inf off the support."""
        points = self.layout.matrix(samples)
        if len(self.width) and self.width.min() <= 0:
            return np.full(len(samples), -np.inf)
        found = [
            self._log_density(samples.select(slice(at, at + AT_A_TIME)), points[at : at + AT_A_TIME])
            for at in range(0, len(samples), AT_A_TIME)
        ]
        return np.concatenate([np.zeros(0), *found])

    def _log_density(self, samples: Samples, points: Floats) -> Floats:
        standard = (points[:, None] - self._matrix) / self.width
        log = -0.5 * (standard**2).sum(2) - np.log(np.sqrt(2 * np.pi) * self.width).sum()
        for name in self._categories:
            here, there = np.asarray(samples[name]), np.asarray(self.rows[name])
            share = (here[:, None] == there).mean(axis=1, keepdims=True)
            own = (1 - self.redraw) * (here[:, None] == there)
            with np.errstate(divide="ignore"):
                log = log + np.log(own + self.redraw * share)
        return logsumexp(log, axis=1) - np.log(len(self.rows))

    @override
    def save(self, directory: Path) -> None:
        self.rows.save(directory / ROWS)
        save_model(directory / MODEL, {"width": self.width}, self.layout, redraw=self.redraw)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        arrays, layout, settings = load_model(directory / MODEL)
        rows = Samples.load(directory / ROWS)
        if not len(rows) or any(name not in rows for name in layout.names):
            raise CorruptFileError(f"rows {directory / ROWS} do not belong to their model")
        return cls(rows, layout, arrays["width"], float(str(settings["redraw"])))


class KDE(Learner, frozen=True):
    """A Gaussian kernel for numbers and vectors; categories stay with their row, and are sometimes redrawn.

    Attributes:
        bandwidth: Standard deviation of the noise, in the data's units; or Scott's or Silverman's rule, a
            share of each number's standard deviation that falls with n.
        scale: Sampling bias (often called lambda): factor on the variance of the noise. 0 returns training
            rows.
        redraw: Probability that a category is redrawn from all training rows.
        categories: Names of the columns that are not numbers; None: those of the data's schema.
    """

    generator_type: ClassVar[type[Generator]] = KernelGenerator

    bandwidth: Annotated[float, Field(gt=0)] | Literal["scott", "silverman"] = "scott"
    scale: Annotated[float, Field(ge=0)] = 1.0
    redraw: Annotated[float, Field(ge=0, le=1)] = 0.05
    categories: tuple[str, ...] | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        names = made_of(schema, "learner 'kde'", (*NUMERIC, "category", "label"))
        others = tuple(name for name in names if schema[name].role not in NUMERIC)
        return super().suited_to(schema).model_copy(update={"categories": others})

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> KernelGenerator:
        others = self.categories
        if others is None:
            others = [name for name in samples if not isinstance(samples[name], np.ndarray)]
        names = [name for name in samples if name not in others]
        layout, rows = training_rows(samples, names, "learner 'kde'")
        width = np.sqrt(self.scale) * self._width(rows)
        return KernelGenerator(samples, layout, width, self.redraw)

    def _width(self, rows: Floats) -> NDArray[np.float64]:
        n, d = rows.shape
        if not isinstance(self.bandwidth, str):
            return np.full(d, self.bandwidth)
        if n < 2:
            raise DataError(
                f"learner 'kde': bandwidth {self.bandwidth!r} from one sample",
                expected="at least two, or a bandwidth that is a number",
            )
        share = n if self.bandwidth == "scott" else n * (d + 2) / 4
        return rows.std(axis=0, ddof=1) * share ** (-1 / (d + 4))
