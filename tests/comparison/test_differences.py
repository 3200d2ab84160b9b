"""Differences: judged against planted truth, and the numbers against an independent computation."""

import numpy as np
import pytest
from scipy import stats

from veriloop.comparison.differences import contrast


def test_the_interval_is_students() -> None:
    values = np.array([0.3, -0.1, 0.5, 0.2, 0.4])
    mean, low, high, _ = contrast(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (mean, low, high) == pytest.approx((values.mean(), expected.low, expected.high))


def test_it_is_widened_for_the_number_of_comparisons() -> None:
    values = np.array([0.3, -0.1, 0.5, 0.2, 0.4])
    _, low, high, _ = contrast(values, comparisons=6)
    expected = stats.ttest_1samp(values, 0).confidence_interval(1 - 0.05 / 6)
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_equal_by_construction_needs_no_seeds() -> None:
    assert contrast(np.zeros(4)) == (0.0, 0.0, 0.0, None)


def test_so_many_seeds_find_the_difference_in_80_percent() -> None:
    rng = np.random.default_rng(0)
    # Made so that the standard deviation of a pair is 1, and the mean 0.4.
    values = rng.standard_normal(12)
    values = (values - values.mean()) / values.std(ddof=1) + 0.4
    _, _, _, needed = contrast(values, comparisons=3)
    assert needed is not None
    trials = 4_000
    drawn = 0.4 + rng.standard_normal((trials, needed))
    half = stats.t.ppf(1 - 0.05 / 6, needed - 1) * drawn.std(axis=1, ddof=1) / np.sqrt(needed)
    power = (np.abs(drawn.mean(axis=1)) > half).mean()
    # The rule leaves out the chi of the sample's spread, which costs a point at most.
    assert power == pytest.approx(0.8, abs=0.015 + 3 * np.sqrt(0.16 / trials))


@pytest.mark.parametrize("comparisons", [1, 3])
def test_where_nothing_differs_at_most_one_family_in_twenty_has_a_difference(comparisons: int) -> None:
    rng, families, seeds = np.random.default_rng(1), 3_000, 5
    false = 0
    for _ in range(families):
        # Paired by seed: a common part falls out of the differences.
        a = rng.standard_normal((comparisons + 1, seeds))
        found = [contrast(a[k + 1] - a[0], comparisons) for k in range(comparisons)]
        false += any(low > 0 or high < 0 for _, low, high, _ in found)
    assert false / families <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / families)
