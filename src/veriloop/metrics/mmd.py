"""Maximum mean discrepancy of generated rows of numbers from real ones."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field, FiniteFloat
from scipy.spatial.distance import cdist, pdist
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from ._numbers import OfNumbers, scaled, sides
from ._two_samples import BLOCKS, distance
from .base import Evaluation


class MMD(OfNumbers, frozen=True):
    """Squared maximum mean discrepancy between the distributions of generated and real rows.

    ``mmd`` is E k(X, X') + E k(Y, Y') - 2 E k(X, Y) with the kernel k(x, y) = exp(-|x - y|^2 / (2 width^2))
    (A. Gretton et al., A kernel two-sample test, JMLR 13, 2012, equation 3). It is estimated without bias:
    about 0 for equal distributions, and sometimes negative by chance. Numbers are compared in real standard
    deviations.

    The standard error comes from a jackknife over blocks of both sides, with the width fixed. Rows are the
    generated and the held-out rows. The first 1,000 rows of each side are compared.

    Attributes:
        width: Width of the kernel, in real standard deviations; None for the median distance between two
            held-out rows, which is the same for every model. Differences much smaller than the width are
            hardly seen.
        columns: Names of number and vector columns; None for all that models generate.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "mmd": Quantity(
            "Squared MMD",
            better="lower",
            high=2,
            meaning="Distance between the distributions of generated and real rows, by a Gaussian kernel.",
        ),
    }

    width: Annotated[FiniteFloat, Field(gt=0)] | None = None

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        made, real = scaled(sides(evaluation, self.columns))
        if min(len(made), len(real)) < 2 * BLOCKS:
            return {"mmd": Estimate(np.nan, np.nan)}
        # More than half of the held-out rows may be equal.
        width = self.width or float(np.median(pdist(real))) or 1.0
        both = np.concatenate([made, real])
        return {"mmd": distance(-np.expm1(-cdist(both, both, "sqeuclidean") / (2 * width**2)), len(made))}
