"""The explorer says what the theory says, in all directions at once."""

import math

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop.theory import LinearSystem, helpful_biases, one_round_mse, trajectory
from veriloop.web.explore import Point, answers

from ..patience import HOUR


@settings(max_examples=5)
@given(
    bias=st.integers(0, 150).map(lambda i: i / 100),
    radius=st.integers(1, 150).map(lambda i: i / 100),
    sigma_c=st.integers(0, 200).map(lambda i: i / 100),
    n0=st.integers(10, 10_000),
    n=st.integers(10, 10_000),
    p=st.integers(1, 6),
    rounds=st.integers(1, 8),
)
def test_one_direction_answers_for_all(bias, radius, sigma_c, n0, n, p, rounds):
    point = Point(bias=bias, radius=radius, sigma_c=sigma_c, n0=n0, n=n, p=p, rounds=rounds)
    found = answers(point)
    center = np.full(p, bias / math.sqrt(p))
    whole = LinearSystem(
        np.zeros(p), center, radius, 1.0, sigma_c, singular_values=math.sqrt(n0), allow_outside=True
    )
    course = trajectory(whole, n, rounds)
    # Four digits are kept of arrays.
    assert np.allclose(found["course"]["to_truth"], course.mse_star, rtol=1e-3)
    assert np.allclose(found["course"]["to_center"], course.mse_center, rtol=1e-3, atol=1e-12)
    assert found["best_round"] == course.best_round
    assert found["regime"] == str(course.regime)
    assert found["floor"] == pytest.approx(course.floor)
    assert found["acceptance_rate"] == pytest.approx(float(one_round_mse(whole, n, "exact").acceptance_rate))


def test_the_zero_gain_line_is_where_the_theory_has_it():
    point = Point()
    even = LinearSystem(np.zeros(8), np.ones(8), 0.4, singular_values=10.0, allow_outside=True)
    ((low, exact),) = helpful_biases(even, 100)
    assert low == 0
    assert answers(point)["helpful_biases"] == [pytest.approx([0.0, exact], abs=1e-4)]
    phase = answers(point)["phase"]
    gain = np.array(phase["log_gain"])
    assert gain.shape == (len(phase["radii"]), len(phase["biases"]))
    row = int(np.argmin(np.abs(np.array(phase["radii"]) - 0.4)))
    helps = np.array(phase["biases"])[gain[row] > 0]
    assert abs(helps.max() - exact) < 2 * phase["biases"][1]


def test_settings_travel_in_the_address(page):
    data = httpx.get(f"{page}/explore/data", params={"bias": 0.9, "radius": 0.2, "rounds": 3}, timeout=HOUR)
    assert data.status_code == 200
    assert len(data.json()["course"]["to_truth"]) == 4
    assert data.json()["contains_truth"] is False
    assert data.json()["regime"] == "harmful"
    shown = httpx.get(f"{page}/explore", params={"bias": 0.9}, timeout=HOUR).text
    assert 'name="bias" min="0" max="1.5" step="0.01" value="0.9"' in shown


@pytest.mark.parametrize(
    "query",
    [
        {"bias": "nan"},
        {"bias": 1e-310, "radius": 9},
        {"radius": 0},
        {"n": 1.5},
        {"p": 10**9},
        {"rounds": "x"},
    ],
)
def test_settings_out_of_range_are_refused(page, query):
    refused = httpx.get(f"{page}/explore/data", params=query, timeout=HOUR)
    assert refused.status_code == 400
    assert refused.text.startswith(f"{list(query)[-1]}: ")


def test_numbers_next_to_nothing_do_no_harm():
    assert answers(Point(bias=1e-310)) == answers(Point(bias=0))
