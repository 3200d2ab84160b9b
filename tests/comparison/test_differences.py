"""Differences: judged against planted truth, and the numbers against an independent computation."""

import math

import numpy as np
import pytest
from scipy import stats

from veriloop.comparison.differences import contrast, table

from .planted import chains


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


def test_equal_differences_count_by_their_signs_only() -> None:
    # A share of 20 rows is often the same by luck: of five seeds, once in 16 if it has two values.
    assert contrast(np.full(5, 0.05)) == pytest.approx((0.05, 0.0, 0.1, 6))
    assert contrast(np.full(6, 0.05)) == pytest.approx((0.05, 0.05, 0.05, 6))
    assert contrast(np.full(6, -0.05), comparisons=2) == pytest.approx((-0.05, -0.1, 0.0, 7))


def test_equal_by_construction_is_what_has_equal_numbers_in_all_rounds() -> None:
    found = table("error", chains({("a", 0): [3, 2], ("b", 0): [3, 2], ("c", 0): [2, 2]}))
    assert [d.equal for d in found.differences] == [True, False, False]
    assert found.comparisons == 2
    assert all(d.mean == 0 and not d.told_apart for d in found.differences)


def test_the_last_round_that_both_have_measured() -> None:
    found = table("error", chains({("a", 0): [5, 4, 3, 2], ("b", 0): [5, 3, 1], ("b", 1): [5, 3, 1, 0]}))
    (difference,) = found.differences
    assert (difference.round, difference.mean, difference.n) == (2, 2, 1)
    assert [(r.variation, r.round, r.n) for r in found.rows if r.round == 3] == [("a", 3, 1)]
    not_measured = table("error", chains({("a", 0): [5, 4, math.nan], ("b", 0): [5, 3, 1]}))
    assert [d.round for d in not_measured.differences] == [1]


def test_without_a_common_seed_or_number_there_is_no_difference() -> None:
    assert table("error", chains({("a", 0): [1, 1], ("b", 1): [1, 2]})).differences == ()
    nothing = table("error", chains({("a", 0): [math.nan] * 2, ("b", 0): [1, 2]}))
    assert nothing.differences == ()
    assert {row.variation for row in nothing.rows} == {"b"}


def test_an_arm_that_one_variation_has_is_in_the_rows_only() -> None:
    both = chains({("a", 0): [1, 1], ("b", 0): [1, 2]})
    found = table("error", [*both, *chains({("a", 0): [1, 3]}, arm="other")])
    assert {d.arm for d in found.differences} == {"verified"}
    assert ("a", "other") in {(row.variation, row.arm) for row in found.rows}


def test_one_seed_has_the_errors_of_its_measurement_or_no_interval() -> None:
    values = {("a", 0): [1.0, 1.0], ("b", 0): [1.0, 2.0]}
    (by_errors,) = table("error", chains(values, se=0.1)).differences
    assert by_errors.by == "errors"
    assert (by_errors.low, by_errors.high) == pytest.approx(
        (-1 - 1.96 * 0.02**0.5, -1 + 1.96 * 0.02**0.5), rel=1e-3
    )
    (without,) = table("error", chains(values)).differences
    assert (without.by, without.told_apart, without.seeds_needed) == ("nothing", False, None)
    assert math.isnan(without.low)


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
