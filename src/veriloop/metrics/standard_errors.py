"""Standard errors of numbers computed from samples that were drawn for given labels."""

import numpy as np
from numpy.typing import NDArray

from ..records import Estimate

RESAMPLES = 2000
"""Of a bootstrap: by chance the ends of its interval then move by some 6 % of a standard error."""

AT_A_TIME = 50
"""Resamples in memory together."""


def mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> Estimate:
    """The mean of independent values, shape (n,), with its standard error; NaN for no values."""
    return Estimate(float(values.mean()) if len(values) else np.nan, of_mean(values))


def of_mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float:
    """Standard error of the mean of independent values, shape (n,); NaN for fewer than two."""
    n = len(values)
    return float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else np.nan


def bootstrapped_mean(values: NDArray[np.floating], rng: np.random.Generator) -> Estimate:
    """The mean of independent values, shape (n,), with its standard error and its 95 % interval.

    The interval is the percentile bootstrap's over `RESAMPLES` draws of n values with replacement
    (B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). None for fewer than two.
    """
    found, n = mean(values), len(values)
    if n < 2:
        return found
    means = np.concatenate(
        [values[rng.integers(n, size=(AT_A_TIME, n))].mean(axis=1) for _ in range(RESAMPLES // AT_A_TIME)]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(found.value, found.se, interval=(float(low), float(high)))


def of_stratified_mean(
    values: NDArray[np.floating] | NDArray[np.bool_], stratum: NDArray[np.integer]
) -> float:
    """Standard error of the mean of ``values`` when the strata were fixed and not drawn.

    Generated samples have given labels, so that only the spread within each class is chance:
    SE^2 = sum_c (n_c / n)^2 s_c^2 / n_c.

    Args:
        values: Shape (n,).
        stratum: Of each value, shape (n,).

    Returns:
        The standard error; as if nothing were fixed when a stratum has one value only, which has no
        spread of its own; NaN for fewer than two values.
    """
    sizes = np.unique_counts(stratum).counts
    if len(values) < 2 or sizes.min() < 2:
        return of_mean(values)
    variances = [
        n * np.var(values[stratum == c], ddof=1) for c, n in zip(np.unique(stratum), sizes, strict=True)
    ]
    return float(np.sqrt(np.sum(variances)) / len(values))


def jackknife_blocks(
    stratum: NDArray[np.integer], blocks: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Random blocks of equal size, each with an equal share of every stratum, as far as numbers allow.

    Args:
        stratum: Shape (n,).
        blocks: How many.
        rng: Source of the assignment.

    Returns:
        The block of each row, 0..blocks-1, shape (n,).
    """
    shuffled = rng.permutation(len(stratum))
    dealt = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    block = np.empty(len(stratum), np.int64)
    block[dealt] = np.arange(len(stratum)) % blocks
    return block


def of_jackknife(left_out: NDArray[np.floating]) -> NDArray[np.floating]:
    """Delete-a-block jackknife: sqrt((g - 1) mean_b (t_b - mean t)^2) over the g blocks.

    Args:
        left_out: The numbers computed without each block, shape (g, ...).

    Returns:
        Standard errors, shape (...). (B. Efron, C. Stein, The jackknife estimate of variance, Annals of
        Statistics 9, 1981: on average it is not too small.)
    """
    g = len(left_out)
    return np.sqrt((g - 1) * np.var(left_out, axis=0))
