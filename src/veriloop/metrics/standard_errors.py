"""Standard errors of numbers computed from samples drawn for given labels."""

import numpy as np
from numpy.typing import NDArray

from ..records import Estimate, RowEstimate

RESAMPLES = 2000
"""Number of bootstrap resamples; the ends of an interval then vary by some 6 % of a standard error."""

AT_A_TIME = 50
"""Number of resamples in memory together."""


def mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> Estimate:
    """Return the mean of independent values, shape (n,), with standard error and rows; NaN for no values."""
    value = float(values.mean()) if len(values) else np.nan
    if not np.isfinite(value):
        return Estimate(value, of_mean(values))
    return RowEstimate(value, of_mean(values), rows=values.astype(float))


def by_row(value: float, se: float, *influences: NDArray[np.floating]) -> Estimate:
    """Return a number that is not a mean, with rows that have its variance.

    Args:
        value: Number.
        se: Standard error of the number.
        influences: For each sample that the number depends on, the contribution of each of its rows (to first
            order: influence values, or deviations of a jackknife's pseudo-values), shape (n_s,), with mean
            about 0.

    Returns:
        The samples' rows one after the other, each scaled by n / n_s, so that the variance over the n rows,
        divided by n, is the sum of the samples' own. Without rows if there is no number.
    """
    n = sum(map(len, influences))
    if not np.isfinite(value) or n == 0:
        return Estimate(value, se)
    centred = [(n / len(part)) * (part - part.mean()) for part in influences if len(part)]
    return RowEstimate(value, se, rows=value + np.concatenate(centred))


def of_mean(values: NDArray[np.floating] | NDArray[np.bool_]) -> float:
    """Return the standard error of the mean of independent values, shape (n,); NaN for fewer than two."""
    n = len(values)
    return float(np.std(values, ddof=1) / np.sqrt(n)) if n > 1 else np.nan


def bootstrapped_mean(values: NDArray[np.floating], rng: np.random.Generator) -> Estimate:
    """Return the mean of independent values, shape (n,), with standard error and 95 % interval.

    The interval is that of the percentile bootstrap over `RESAMPLES` draws of n values with replacement (B.
    Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). None for fewer than two.
    """
    found, n = mean(values), len(values)
    if n < 2:
        return found
    means = np.concatenate(
        [values[rng.integers(n, size=(AT_A_TIME, n))].mean(axis=1) for _ in range(RESAMPLES // AT_A_TIME)]
    )
    low, high = np.quantile(means, (0.025, 0.975))
    return RowEstimate(found.value, found.se, interval=(float(low), float(high)), rows=values)


def of_stratified_mean(
    values: NDArray[np.floating] | NDArray[np.bool_], stratum: NDArray[np.integer]
) -> float:
    """Return the standard error of the mean of ``values`` when the strata were fixed and not drawn.

    Generated samples have given labels, so only the spread within each class is random: SE^2 = sum_c (n_c /
    n)^2 s_c^2 / n_c.

    Args:
        values: Shape (n,).
        stratum: Stratum of each value, shape (n,).

    Returns:
        The standard error; as if nothing were fixed if a stratum has only one value, and so no spread; NaN
        for fewer than two values.
    """
    sizes = np.unique_counts(stratum).counts
    if len(values) < 2 or sizes.min() < 2:
        return of_mean(values)
    variances = [
        n * np.var(values[stratum == c], ddof=1) for c, n in zip(np.unique(stratum), sizes, strict=True)
    ]
    return float(np.sqrt(np.sum(variances)) / len(values))


def within(
    values: NDArray[np.floating] | NDArray[np.bool_], stratum: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return the random part of ``values`` when the strata were fixed: deviations from each stratum's mean.

    They are scaled by sqrt(n_c / (n_c - 1)), so that their mean square divided by n is the squared
    `of_stratified_mean`; deviations from the overall mean if a stratum has only one value.

    Args:
        values: Shape (n,).
        stratum: Stratum of each value, shape (n,).
    """
    _, number, sizes = np.unique(stratum, return_inverse=True, return_counts=True)
    if not len(values) or sizes.min() < 2:
        return values - values.mean() if len(values) else np.zeros(0)
    means = np.bincount(number, values) / sizes
    return (values - means[number]) * np.sqrt(sizes / (sizes - 1))[number]


def jackknife_blocks(
    stratum: NDArray[np.integer], blocks: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Assign rows to random blocks of equal size, with an equal share of every stratum as far as possible.

    Args:
        stratum: Stratum of each row, shape (n,).
        blocks: Number of blocks.
        rng: Source of the assignment.

    Returns:
        Block of each row, 0..blocks-1, shape (n,).
    """
    shuffled = rng.permutation(len(stratum))
    dealt = shuffled[np.argsort(stratum[shuffled], kind="stable")]
    block = np.empty(len(stratum), np.int64)
    block[dealt] = np.arange(len(stratum)) % blocks
    return block


def of_jackknife(left_out: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return delete-a-block jackknife errors: sqrt((g - 1) mean_b (t_b - mean t)^2) over the g blocks.

    Args:
        left_out: Numbers computed without each block, shape (g, ...).

    Returns:
        Standard errors, shape (...). (B. Efron, C. Stein, The jackknife estimate of variance, Annals of
        Statistics 9, 1981: on average they are not too small.)
    """
    g = len(left_out)
    return np.sqrt((g - 1) * np.var(left_out, axis=0))


def of_blocks(left_out: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each block's contribution, from the jackknife's pseudo-values; shape (g, ...).

    Their mean square divided by g is the squared `of_jackknife`.
    """
    g = len(left_out)
    return np.sqrt(g * (g - 1)) * (left_out.mean(axis=0) - left_out)
