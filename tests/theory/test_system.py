"""What a linear system accepts, refuses, and computes from its parts."""

import pickle

import numpy as np
import pytest

from veriloop.errors import DomainError
from veriloop.theory import LinearSystem

STAR = np.array([1.0, -2.0, 0.5])


def build(**changes: object) -> LinearSystem:
    settings = {"theta_star": STAR, "theta_c": STAR + 0.1, "radius": 0.5, "singular_values": 10.0}
    return LinearSystem(**(settings | changes))  # pyright: ignore[reportArgumentType]


def test_defaults_follow_the_paper():
    system = build(sigma=2.0)
    assert system.sigma_c == pytest.approx(2 * np.sqrt(2 / np.pi))
    assert system.half_width == pytest.approx((0.5 + system.sigma_c) / 2)
    assert system.bias == pytest.approx(0.1 * np.sqrt(3))
    assert system.baseline == pytest.approx(4 * 3 / 100)
    np.testing.assert_allclose(system.offsets, 0.05)


def test_from_design_takes_singular_values_and_directions():
    design = np.random.default_rng(0).standard_normal((40, 3))
    system = LinearSystem.from_design(design, theta_star=STAR, theta_c=STAR, radius=0.3, sigma=0.5)
    covariance = 0.25 * np.linalg.inv(design.T @ design)
    rows = system.directions
    np.testing.assert_allclose(rows.T @ np.diag((0.5 * system.spreads) ** 2) @ rows, covariance, atol=1e-12)
    assert system.baseline == pytest.approx(np.trace(covariance))


def test_moved_keeps_the_direction_of_the_bias():
    system = build(theta_c=STAR + [0.3, 0.0, 0.4])
    moved = system.moved(bias=2.0, radius=0.1)
    np.testing.assert_allclose(moved.theta_c - STAR, [1.2, 0.0, 1.6])
    assert moved.radius == 0.1
    assert moved.sigma_c == system.sigma_c
    assert build(theta_c=STAR).moved(bias=0.0).bias == 0.0


def test_is_frozen_and_pickles():
    system = build()
    with pytest.raises(AttributeError):
        system.radius = 1.0  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(ValueError, match="read-only"):
        system.theta_star[0] = 5.0
    copy = pickle.loads(pickle.dumps(system))
    np.testing.assert_array_equal(copy.theta_c, system.theta_c)


def test_a_ball_that_misses_the_truth_says_by_how_much():
    with pytest.raises(DomainError, match=r"bias 1\.73205, which is 1\.23205 more than the radius 0\.5"):
        build(theta_c=STAR + 1.0)
    assert build(theta_c=STAR + 1.0, allow_outside=True).bias > 1.7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"radius": -0.1}, "radius is out of range"),
        ({"radius": np.nan}, "radius holds NaN"),
        ({"radius": [0.1, 0.2]}, "radius is not a single number"),
        ({"radius": 0.0, "sigma_c": 0.0, "theta_c": STAR}, "never accept"),
        ({"radius": 1e-14, "sigma_c": 0.0, "theta_c": STAR}, "never accept"),
        ({"sigma": 0.0}, "sigma is out of range"),
        ({"sigma_c": -1.0}, "sigma_c is out of range"),
        ({"theta_star": [1.0, np.inf, 0.0]}, "theta_star holds NaN or infinity"),
        ({"theta_star": "abc"}, "theta_star is not numeric"),
        ({"theta_c": [1.0, 2.0]}, "theta_c does not match"),
        ({"theta_star": 1.0}, "theta_star is not a vector"),
        ({"singular_values": [1.0, 2.0]}, "singular_values do not match"),
        ({"singular_values": [1.0, 0.0, 2.0]}, "singular_values is out of range"),
        ({"directions": np.ones((3, 3))}, "not orthonormal"),
        ({"directions": np.eye(2)}, "directions do not match"),
    ],
)
def test_bad_values_are_refused(changes: dict[str, object], message: str):
    with pytest.raises(DomainError, match=message):
        build(**changes)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (np.ones((10, 3)), "linearly dependent"),
        (np.ones((2, 3)), "design has the wrong shape"),
        (np.ones(3), "design has the wrong shape"),
        (np.full((5, 3), np.nan), "NaN"),
    ],
)
def test_bad_designs_are_refused(design: np.ndarray, message: str):
    with pytest.raises(DomainError, match=message):
        LinearSystem.from_design(design, theta_star=STAR, theta_c=STAR, radius=1.0)


def test_directions_of_bias():
    assert build(theta_c=STAR + [0.0, 0.2, 0.0]).unit_direction() == pytest.approx([0, 1, 0])
    assert build().unit_direction([3.0, 0.0, 4.0]) == pytest.approx([0.6, 0, 0.8])
    with pytest.raises(DomainError, match="no bias direction"):
        build(theta_c=STAR).unit_direction()
    with pytest.raises(DomainError, match="direction is unusable"):
        build().unit_direction([0.0, 0.0, 0.0])
