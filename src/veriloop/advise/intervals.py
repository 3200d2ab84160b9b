"""Numbers with 95 % intervals: shares of counts, and statistics over resampled units."""

import math
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..laws import normal_quantile
from ..records import Number

LEVEL = 0.95
Z = normal_quantile((1 + LEVEL) / 2)


class Interval(BaseModel):
    """A number and its 95 % interval; NaN if there is none."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    value: Number
    low: Number
    high: Number


class Share(Interval):
    """``count`` of ``total``, with Wilson's interval; NaN if the total is 0."""

    count: int
    total: int


def wilson(count: int, total: int) -> Share:
    """Return the share ``count / total`` with Wilson's score interval.

    (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n); E. B. Wilson, Probable inference, the law of
    succession, and statistical inference, JASA 22, 1927. It holds near 0 and 1, where counts of errors lie.
    """
    if total == 0:
        return nothing()
    p, z2 = count / total, Z**2 / total
    middle = (p + z2 / 2) / (1 + z2)
    half = math.sqrt(z2 * (p * (1 - p) + z2 / 4)) / (1 + z2)
    # At the ends the bound is exactly 0 or 1, which rounding would miss.
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == total else middle + half
    return Share(value=p, low=low, high=high, count=count, total=total)


def nothing() -> Share:
    """Return the share of no samples, without a value or an interval."""
    return Share(value=math.nan, low=math.nan, high=math.nan, count=0, total=0)


def newcombe(a: Share, b: Share) -> Interval:
    """Return the difference ``a - b`` of two separate groups' shares, with Newcombe's hybrid score interval.

    R. G. Newcombe, Interval estimation for the difference between independent proportions, Statistics in
    Medicine 17, 1998, method 10: the two Wilson intervals are combined by squares. NaN if one share is of no
    samples.
    """
    below = math.hypot(a.value - a.low, b.high - b.value)
    above = math.hypot(a.high - a.value, b.value - b.low)
    value = a.value - b.value
    return Interval(value=value, low=value - below, high=value + above)


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float],
    units: int,
    rng: np.random.Generator,
    replicates: int = 1_000,
) -> Interval:
    """Return ``statistic`` of all rows, and its percentile interval over resampled units.

    Args:
        statistic: Function of the rows of units; resamples where it is NaN are left out.
        units: Number of units.
        rng: Source of the resampling.
        replicates: Number of resamples.
    """
    value = statistic(np.arange(units))
    if units < 2 or math.isnan(value):
        return Interval(value=value, low=math.nan, high=math.nan)
    drawn = np.array([statistic(rng.integers(units, size=units)) for _ in range(replicates)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return Interval(value=value, low=math.nan, high=math.nan)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=value, low=float(low), high=float(high))
