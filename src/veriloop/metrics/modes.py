"""Which of the known modes a model still generates."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, FiniteFloat
from typing_extensions import override

from ..errors import ConfigError
from ..laws import normal_cdf
from ..quantity import Quantity
from ..records import Estimate
from ..schema import Schema
from ._numbers import OfNumbers, sides
from .base import Evaluation
from .standard_errors import by_row, mean


class Modes(OfNumbers, frozen=True):
    """The number of modes found among generated rows, and the share of rows near one.

    A mode is found if at least the share ``least`` of the generated rows is within the distance ``within``
    and closer to it than to any other. The standard error of ``modes_found`` sums the chance of an error for
    each mode. ``mode_diversity`` is the chance that two generated rows are nearest to different modes,
    estimated without bias. Rows of both shares are the generated rows.

    Attributes:
        centers: Modes, p numbers each.
        within: Largest distance from a mode, in the data's units.
        least: Least share of the generated rows.
        columns: Names of number and vector columns; None for all that models generate.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "modes_found": Quantity(
            "Modes found",
            better="higher",
            low=0,
            meaning="Number of known modes that the model still generates.",
        ),
        "on_modes": Quantity(
            "Share on modes", better="higher", low=0, high=1, meaning="Share of samples near a mode."
        ),
        "mode_diversity": Quantity(
            "Diversity of modes",
            low=0,
            watch_falls=True,
            meaning="Chance that two samples are nearest to different modes.",
        ),
    }

    centers: Annotated[tuple[tuple[FiniteFloat, ...], ...], Field(min_length=1)]
    within: Annotated[float, Field(gt=0)]
    least: Annotated[float, Field(gt=0, lt=1)] = 0.01

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema)
        columns = suited.columns or ()
        width = sum(getattr(schema[name], "p", 1) for name in columns)
        if {len(center) for center in self.centers} != {width}:
            raise ConfigError(
                f"metric {self.kind!r}: centers",
                got=f"{len(self.centers[0])} numbers each",
                expected=f"{width} numbers each, as {', '.join(columns)} has",
            )
        return suited

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        made, _ = sides(evaluation, self.columns)
        if len(made) < 2:
            return dict.fromkeys(self.quantities, Estimate(np.nan, np.nan))
        apart = np.linalg.norm(made[:, None] - np.array(self.centers), axis=2)
        near, nearest, n = apart.min(axis=1) <= self.within, apart.argmin(axis=1), len(made)
        share = np.bincount(nearest[near], minlength=len(self.centers)) / n
        error = np.sqrt(share * (1 - share) / n)
        # The chance that another draw of the same size would give another answer for this mode.
        other = normal_cdf(-np.abs(share - self.least) / np.maximum(error, 1 / n))
        found = Estimate(float(np.sum(share >= self.least)), float(np.sqrt(np.sum(other * (1 - other)))))
        return {"modes_found": found, "on_modes": mean(near), "mode_diversity": _diversity(nearest)}


def _diversity(nearest: NDArray[np.int64]) -> Estimate:
    """Return the chance that two of n rows have different modes, without bias; rows are influence values."""
    n = len(nearest)
    share = np.bincount(nearest) / n
    value = float(1 - (share**2).sum()) * n / (n - 1)
    influence = -2 * (share[nearest] - (share**2).sum())
    return by_row(value, float(np.std(influence) / np.sqrt(n)), influence)
