"""Predictions of the next model: exact where the pairs are, wide where there are few, within bounds."""

import numpy as np
import pytest

from veriloop.advise.choose import Pair, ahead, predict
from veriloop.quantity import Quantity

DISTANCE, SHARE, NUMBER = (
    Quantity(better="lower", low=0),
    Quantity(better="higher", low=0, high=1),
    Quantity(),
)


def test_a_line_is_found() -> None:
    pairs = [Pair(x, 1.3 * x) for x in (5.0, 10.0, 20.0, 40.0)]
    for kept in (6.0, 15.0, 60.0):
        found = predict(kept, pairs, DISTANCE)
        assert found.value == pytest.approx(1.3 * kept, rel=0.08)
        assert found.low < 1.3 * kept < found.high


def test_one_pair_is_a_beginning_and_more_are_better() -> None:
    one = predict(10.0, [Pair(12.0, 15.0)], DISTANCE)
    many = predict(10.0, [Pair(12.0, 15.0), Pair(30.0, 36.0), Pair(8.0, 10.5), Pair(20.0, 25.0)], DISTANCE)
    assert one.low < 12.5 < one.high
    assert many.high - many.low < one.high - one.low


def test_bounds_hold() -> None:
    found = predict(0.99, [Pair(0.9, 0.8), Pair(0.97, 0.95)], SHARE)
    assert 0 < found.low < found.value <= found.high <= 1
    assert predict(0.0, [Pair(1.0, 1.0)], DISTANCE).low == 0
    free = predict(-3.0, [Pair(-1.0, -1.2), Pair(1.0, 0.7)], NUMBER)
    assert free.low < -3 < free.high


@pytest.mark.parametrize("rounds", [1, 2, 4, 8])
@pytest.mark.parametrize("scatter", [0.03, 0.1])
def test_intervals_cover_learners_they_were_made_for(rounds: int, scatter: float) -> None:
    """Learners that add a distance and lose a share, both of which differ, and scatter about their line."""
    rng, trials, hits = np.random.default_rng(3), 800, 0
    for _ in range(trials):
        slope, shift = rng.normal(1, 0.25), rng.uniform(0, 40)
        x = rng.uniform(20, 120, rounds + 1)
        y = (shift + slope * x) * np.exp(rng.normal(0, scatter, rounds + 1))
        found = predict(x[0], [Pair(a, b) for a, b in zip(x[1:], y[1:], strict=True)], DISTANCE)
        hits += found.low <= y[0] <= found.high
    assert hits / trials > 0.95 - 4 * np.sqrt(0.95 * 0.05 / trials)


def test_a_lead_is_the_difference_without_the_error_that_both_share() -> None:
    pairs = [Pair(10.0, 14.0)]  # the level is hardly known, and is the same for both
    one, other = predict(10.0, pairs, DISTANCE), predict(30.0, pairs, DISTANCE)
    lead = ahead(10.0, 30.0, pairs, DISTANCE)
    assert lead.value == pytest.approx(other.value - one.value)
    assert lead.low > 0 > other.low - one.high, "the intervals overlap, and the order is clear"
    back = ahead(30.0, 10.0, pairs, DISTANCE)
    assert (back.value, back.low, back.high) == pytest.approx((-lead.value, -lead.high, -lead.low))


def test_sets_that_measure_alike_leave_the_order_open() -> None:
    pairs = [Pair(x, 1.3 * x) for x in (40.0, 60.0, 100.0, 160.0)]
    lead = ahead(50.0, 55.0, pairs, DISTANCE)
    assert lead.low < 0 < lead.value < lead.high
    assert ahead(50.0, 150.0, pairs, DISTANCE).low > 0


@pytest.mark.parametrize("scatter", [0.05, 0.15])
def test_leads_hold_what_then_happens(scatter: float) -> None:
    rng, inside = np.random.default_rng(2), []
    for _ in range(300):
        slope, kept = rng.normal(1, 0.2), rng.uniform(10, 100, 6)
        models = (5 + slope * kept) * (1 + scatter * rng.standard_normal(6))
        pairs = [Pair(*pair) for pair in zip(kept[:4], models[:4], strict=True)]
        lead = ahead(kept[4], kept[5], pairs, DISTANCE)
        inside.append(lead.low <= models[5] - models[4] <= lead.high)
    assert np.mean(inside) > 0.93


def test_more_may_be_better() -> None:
    lead = ahead(0.9, 0.5, [Pair(0.6, 0.6), Pair(0.8, 0.8)], SHARE)
    assert lead.value == pytest.approx(0.4, abs=0.02)
