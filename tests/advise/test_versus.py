"""Is one arm better than another? Intervals that hold the truth, and numbers that would do."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from veriloop.advise.paired import Reading
from veriloop.advise.versus import MOST, POWER, Versus, versus
from veriloop.quantity import Near, Quantity
from veriloop.records import Estimate

HIGHER, LOWER = Quantity("Score", better="higher"), Quantity("Loss", better="lower")


def by_rows(
    ours: np.ndarray, theirs: np.ndarray, quantity: Quantity = HIGHER, smallest: float | None = None
) -> Versus:
    pair = tuple(Reading(Estimate(float(x.mean()), 0.1), x) for x in (ours, theirs))
    return versus([(pair[0], pair[1])], "score", quantity, round_=3, smallest=smallest)


def by_errors(ours: float, theirs: float, se: float, quantity: Quantity = HIGHER) -> Versus:
    return versus([(Reading(Estimate(ours, se)), Reading(Estimate(theirs, se)))], "score", quantity, round_=3)


def test_paired_by_row_it_is_students() -> None:
    rng = np.random.default_rng(0)
    theirs = rng.standard_normal(40)
    ours = theirs + 0.2 + 0.3 * rng.standard_normal(40)
    found = by_rows(ours, theirs)
    other = ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((other.low, other.high))
    assert (found.by, found.pairs, found.outcome) == ("rows", 40, "better")
    assert found.line.startswith("verified is better than unverified: Score +")
    assert "after round 3, paired by 40 rows" in found.line


def test_lower_may_be_better_and_the_difference_keeps_its_sign() -> None:
    rng = np.random.default_rng(1)
    theirs = rng.standard_normal(40)
    found = by_rows(theirs - 1 + 0.1 * rng.standard_normal(40), theirs, LOWER)
    assert found.outcome == "better"
    assert found.low < found.difference < found.high < 0
    assert by_rows(theirs, theirs - 1 + 0.1 * rng.standard_normal(40), LOWER).outcome == "worse"


def test_the_best_value_may_lie_between() -> None:
    rng = np.random.default_rng(2)
    noise = 0.05 * rng.standard_normal((2, 50))
    found = by_rows(1.1 + noise[0], 0.5 + noise[1], Quantity("Diversity", better=Near(1.0)))
    assert found.outcome == "better"
    assert found.difference == pytest.approx(-0.4, abs=0.03)
    assert "distance of Diversity from 1" in found.line


def test_enough_rows_find_the_difference_in_the_share_that_is_said() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal(30)
    rows = 0.15 + (rows - rows.mean()) / rows.std(ddof=1)  # with this very difference, and a spread of 1
    few = by_rows(rows, np.zeros(30))
    assert few.outcome == "cannot tell"
    assert few.enough is not None
    assert f"about {few.enough:,} rows" in few.line
    tries = 400
    found = [by_rows(0.15 + rng.standard_normal(few.enough), np.zeros(few.enough)) for _ in range(tries)]
    share = np.mean([v.outcome == "better" for v in found])
    assert share == pytest.approx(POWER, abs=3 * math.sqrt(POWER * (1 - POWER) / tries))


def test_the_smallest_difference_that_matters_may_be_another() -> None:
    rng = np.random.default_rng(4)
    x, y = 0.05 + rng.standard_normal(50), np.zeros(50)
    small, large = by_rows(x, y, smallest=0.1).enough, by_rows(x, y, smallest=0.2).enough
    assert small is not None
    assert large is not None
    assert small == pytest.approx(4 * large, rel=0.05)


def test_no_number_of_rows_that_one_would_pay_for() -> None:
    x = np.array([-1.0, 1.0] * 20)
    found = by_rows(x, np.zeros(40))
    assert (found.difference, found.enough) == (0, None)
    assert f"more than {MOST:,} rows" in found.line


def test_rows_that_are_all_equal_have_no_difference_to_find() -> None:
    same = np.zeros(40)
    line = by_rows(same, same, LOWER).line
    assert "+0.00 (95 % interval +0.00 to +0.00)" in line
    assert "detecting" not in line


def test_over_seeds_the_unit_is_a_run() -> None:
    values = [(0.5, 0.4), (0.55, 0.42), (0.52, 0.45)]
    pairs = [(Reading(Estimate(a, 0.001)), Reading(Estimate(b, 0.001))) for a, b in values]
    found = versus(pairs, "score", HIGHER, round_=6)
    other = ttest_rel(*np.array(values).T).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((other.low, other.high))
    assert (found.by, found.pairs) == ("seeds", 3)
    assert "over 3 seeds" in found.line


def test_standard_errors_alone_are_not_paired_and_that_is_said() -> None:
    found = by_errors(0.6, 0.5, 0.01)
    assert found.high - found.difference == pytest.approx(1.96 * 0.01 * math.sqrt(2), rel=1e-3)
    assert (found.by, found.pairs, found.outcome) == ("errors", 0, "better")
    assert "Score +0.100 (95 % interval" in found.line, "three digits, zeros too"
    assert "not paired" in found.line
    assert by_errors(0.51, 0.5, 0.01).outcome == "cannot tell"


@pytest.mark.parametrize("se", [0.0, math.nan])
def test_values_alone_speak_of_this_run_only(se: float) -> None:
    found = by_errors(0.6, 0.5, se)
    assert (found.by, found.outcome) == ("values", "better")
    assert math.isnan(found.low)
    assert "0.6 against 0.5" in found.line
    assert "this run only" in found.line
    assert by_errors(0.5, 0.5, se).outcome == "cannot tell"
    assert "null" in found.model_dump_json()
