"""Distances of generated rows of numbers from real ones: energy distance and sliced Wasserstein distance."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field
from scipy.spatial.distance import cdist
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from ._numbers import Floats, OfNumbers, scaled, sides
from ._two_samples import BLOCKS, distance
from .base import Evaluation
from .standard_errors import of_jackknife


class Distances(OfNumbers, frozen=True):
    """Distances between the distributions of generated and real rows, in real standard deviations.

    ``energy_distance`` is 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo 2013), estimated without
    bias: about 0 for equal distributions, and sometimes negative by chance. ``sliced_wasserstein`` is the
    root mean square over random directions of the Wasserstein-2 distance along each (Bonneel et al. 2015);
    with few rows it is above 0 even for equal distributions.

    Standard errors come from a jackknife over `BLOCKS` blocks of both sides. Rows of the energy distance are
    the generated and the held-out rows. The first 1,000 rows of each side are compared, in some tenths of a
    second.

    Attributes:
        columns: Names of number and vector columns; None for all that models generate.
        directions: Number of directions of the sliced distance.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "energy_distance": Quantity(
            "Energy distance",
            better="lower",
            meaning="Distance between the distributions of generated and real rows.",
        ),
        "sliced_wasserstein": Quantity(
            "Sliced Wasserstein distance",
            better="lower",
            low=0,
            meaning="Distance that generated rows would have to move to match real ones.",
        ),
    }

    directions: Annotated[int, Field(ge=1)] = 50

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        made, real = scaled(sides(evaluation, self.columns))
        if min(len(made), len(real)) < 2 * BLOCKS:
            return dict.fromkeys(self.quantities, Estimate(np.nan, np.nan))
        toward = rng.standard_normal((made.shape[1], self.directions))
        toward /= np.linalg.norm(toward, axis=0)
        sliced = _sliced(made @ toward, real @ toward)
        both = np.concatenate([made, real])
        return {"energy_distance": distance(cdist(both, both), len(made)), "sliced_wasserstein": sliced}


def _sliced(made: Floats, real: Floats) -> Estimate:
    value = _sliced_of(made, real)
    left_out = [
        _sliced_of(made[np.arange(len(made)) % BLOCKS != b], real[np.arange(len(real)) % BLOCKS != b])
        for b in range(BLOCKS)
    ]
    return Estimate(value, float(of_jackknife(np.array(left_out))))


def _sliced_of(made: Floats, real: Floats) -> float:
    """Return the distance of projections, shapes (n, k) and (m, k), comparing quantiles along each axis."""
    longest = max(len(made), len(real))
    steps = (np.arange(longest) + 0.5) / longest
    # The quantile at a step is a row of the sorted side.
    ahead = (np.sort(side, axis=0)[(steps * len(side)).astype(int)] for side in (made, real))
    return float(np.sqrt(np.mean((next(ahead) - next(ahead)) ** 2)))
