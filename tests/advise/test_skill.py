"""How much the curve's forecast counts beside the last value, by what both have missed so far."""

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.advise._skill import AHEAD, trust

FREE = (-np.inf, np.inf)


def weight(values: NDArray, bounds: tuple[float, float] = FREE) -> float:
    n = len(values)
    return trust(np.arange(n), values, np.zeros(n), [100.0] * (n - 1 + AHEAD), bounds)


def test_a_curve_that_was_right_so_far_counts_for_all() -> None:
    assert weight(0.8 ** np.arange(9.0)) > 0.98


def test_of_a_walk_the_last_value_counts_as_much() -> None:
    # No forecast of a walk is better than its last value, and a curve that adds noise to it is worse.
    walks = np.random.default_rng(0).standard_normal((6, 12)).cumsum(axis=1)
    assert 0.3 < np.mean([weight(walk) for walk in walks]) < 0.56


def test_a_turn_that_no_curve_foresaw_takes_its_weight() -> None:
    rises = np.array([0.0, 1, 2, 3, 4, 5])
    assert weight(rises) > 0.9 > 0.5 > weight(np.append(rises, [2.0, 2.0, 2.0]))


def test_without_a_past_forecast_there_is_no_doubt() -> None:
    assert weight(np.array([3.0, 1.0, 2.0, 0.0])) == 1


def test_of_what_never_changed_the_last_value_is_expected() -> None:
    assert weight(np.full(8, 2.0)) == 0


def test_rounds_too_far_apart_show_nothing() -> None:
    rounds = (AHEAD + 1) * np.arange(8)
    sizes = [100.0] * (int(rounds[-1]) + AHEAD)
    assert trust(rounds, np.random.default_rng(1).standard_normal(8), np.zeros(8), sizes, FREE) == 1


def test_a_past_forecast_stays_where_the_quantity_can_be() -> None:
    # The curve runs below 0; the quantity cannot, and with that known the forecast has missed nothing.
    falls = np.array([4.0, 3, 2, 1, 0, 0, 0])
    assert weight(falls, (0.0, np.inf)) > weight(falls)


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_the_unit_does_not_matter(unit: float) -> None:
    values = np.random.default_rng(2).standard_normal(9)
    assert weight(unit * values) == pytest.approx(weight(values), abs=1e-6)
