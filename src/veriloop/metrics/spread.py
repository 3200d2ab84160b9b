"""The covariance of generated rows of numbers: its trace and entropy, compared with real rows."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from ..quantity import Near, Quantity
from ..records import Estimate
from ._numbers import Floats, OfNumbers, sides
from .base import Evaluation
from .standard_errors import by_row


class Spread(OfNumbers, frozen=True):
    """Whether variety is lost: the covariance of generated rows.

    ``covariance_trace`` is the sum of the variances (unbiased), and ``spread_ratio`` the same divided by that
    of held-out rows: 1 is as varied as real data. ``covariance_entropy`` is that of a Gaussian with this
    covariance, log det(2 pi e S) / 2, and ``entropy_gap`` its difference from that of held-out rows: 0 is as
    varied. Unlike the trace, it detects a single direction that collapses. The entropies cannot be measured
    if a direction has no variance.

    Standard errors come from influence values; rows are the generated and, in comparisons, the held-out rows.

    Attributes:
        columns: Names of number and vector columns; None for all that models generate.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "covariance_trace": Quantity("Variance", low=0, meaning="Sum of the variances of generated rows."),
        "spread_ratio": Quantity(
            "Variance ratio",
            better=Near(1.0),
            low=0,
            meaning="Sum of the variances of generated rows, divided by that of real ones.",
        ),
        "covariance_entropy": Quantity(
            "Entropy",
            unit="nats",
            watch_falls=True,
            meaning="Entropy of a Gaussian with the covariance of generated rows.",
        ),
        "entropy_gap": Quantity(
            "Entropy gap",
            better=Near(0.0),
            unit="nats",
            meaning="Entropy of generated rows minus that of real ones, both as Gaussians.",
        ),
    }

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        made, real = sides(evaluation, self.columns)
        if min(len(made), len(real)) < 2:
            return dict.fromkeys(self.quantities, Estimate(np.nan, np.nan))
        trace, of_trace = _trace(made)
        real_trace, of_real_trace = _trace(real)
        entropy, of_entropy = _entropy(made)
        real_entropy, of_real_entropy = _entropy(real)
        ratio = trace / real_trace if real_trace > 0 else np.nan
        return {
            "covariance_trace": _estimate(trace, of_trace),
            "spread_ratio": _estimate(ratio, of_trace / real_trace, -ratio * of_real_trace / real_trace),
            "covariance_entropy": _estimate(entropy, of_entropy),
            "entropy_gap": _estimate(entropy - real_entropy, of_entropy, -of_real_entropy),
        }


def _estimate(value: float, *influences: Floats) -> Estimate:
    if not np.isfinite(value):
        return Estimate(np.nan, np.nan)
    return by_row(value, float(np.sqrt(sum(np.mean(i**2) / len(i) for i in influences))), *influences)


def _trace(rows: Floats) -> tuple[float, Floats]:
    """Return the sum of the variances of (n, d) rows, and each row's contribution to first order."""
    squares = ((rows - rows.mean(0)) ** 2).sum(1)
    value = float(squares.sum() / (len(rows) - 1))
    return value, squares - squares.mean()


def _entropy(rows: Floats) -> tuple[float, Floats]:
    """Return the entropy by the covariance of (n, d) rows, NaN if singular, and each row's contribution."""
    n, d = rows.shape
    covariance = np.atleast_2d(np.cov(rows, rowvar=False))
    values, vectors = np.linalg.eigh(covariance)
    if n <= d or values.min() <= 1e-12 * values.max(initial=0):
        return np.nan, np.zeros(n)
    squares = (((rows - rows.mean(0)) @ vectors) ** 2 / values).sum(1)
    return float(0.5 * np.log(2 * np.pi * np.e * values).sum()), 0.5 * (squares - squares.mean())
