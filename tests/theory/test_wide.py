"""Wide verifiers: a window in place of the whole interval, and where the chain ends."""

import numpy as np
import pytest

from veriloop.errors import DomainError
from veriloop.linear import simulate
from veriloop.theory import LinearSystem, orthogonal_system, trajectory, truncated_moments, unverified_mse
from veriloop.theory import _stationary as stationary


def one(offset: float, half_width: float, n0: float = 16.0) -> LinearSystem:
    return LinearSystem(
        [0.0], [offset], half_width, sigma_c=0.0, singular_values=np.sqrt(n0), allow_outside=True
    )


@pytest.mark.parametrize("radius", [20.0, 99.0, 101.0, 1_000.0, 3_000.0, 1e4, 1e8])
def test_a_verifier_that_never_says_no_is_no_verifier(radius: float):
    system = orthogonal_system(0.2, radius, p=2, n0=18)
    course = trajectory(system, 100, 4)
    assert course.mse_star == pytest.approx(unverified_mse(system, 100, 4), rel=3e-7)
    assert course.mse_center == pytest.approx(unverified_mse(system, 100, 4) + 0.04, rel=3e-7)


@pytest.mark.parametrize("from_edge", [-3.0, 0.5, 2.0, 6.0])
def test_nothing_jumps_where_the_window_takes_over(from_edge: float):
    """Next to an edge the course depends on the distance from it only, below and above the window."""
    below = trajectory(one(60.0 - from_edge, 60.0), 20, 6).mse_star
    for width in (99.9, 100.1, 150.0, 5_000.0):
        other = trajectory(one(width - from_edge, width), 20, 6)
        assert other.mse_star == pytest.approx(below, rel=1e-7, abs=1e-8)


def test_an_edge_of_a_wide_verifier_against_simulation():
    system = one(1_999.0, 2_000.0)
    course, run = trajectory(system, 10, 5), simulate(system, 10, 5, 20_000, seed=2, precision="float64")
    assert np.all(np.abs(run.mse_star - course.mse_star) < 4.5 * run.mse_star_se)


def test_a_way_that_no_window_holds_is_refused():
    system = orthogonal_system(0.2, 1_000.0, p=2)
    with pytest.raises(DomainError, match="too wide and chain too long"):
        trajectory(system, 1, 200)
    assert trajectory(orthogonal_system(0.2, 50.0, p=2), 1, 200).mse_star[-1] > 0  # no window is needed


@pytest.mark.parametrize("n", [1.0, 10.0, 1e3, 1e5])
@pytest.mark.parametrize("half_width", [20.5, 45.0, 100.0])
def test_the_end_from_edge_layers_is_the_solved_one(n: float, half_width: float):
    b, sizes = np.array([half_width]), np.array([n])
    assert stationary._edge_layers(b, sizes) == pytest.approx(stationary._solved(b, sizes), rel=1e-6)


@pytest.mark.parametrize("half_width", [0.3, 1.0, 2.0, 3.0, 3.5, 4.0, 5.0, 6.5, 10.0, 20.0])
def test_the_end_from_the_diffusion_is_the_solved_one(half_width: float):
    b, sizes = np.array([half_width]), np.array([1e5])
    assert stationary._diffusion(b, sizes) == pytest.approx(stationary._solved(b, sizes), rel=5e-6)


@pytest.mark.parametrize("half_width", [0.3, 1.0, 2.0, 3.0, 4.0])
def test_the_end_is_an_autoregressions_where_the_map_is_linear(half_width: float):
    b = np.array([half_width])
    rho = truncated_moments(-b, b, order=2).central[0]
    sizes = 1.01e5 / (1 - rho) ** 2
    assert stationary.stationary_second_moment(b, sizes) == pytest.approx(rho / sizes / (1 - rho**2))
    assert stationary._diffusion(b, sizes) == pytest.approx(stationary._autoregression(b, sizes), rel=3e-6)


def test_the_end_where_there_is_none():
    assert stationary.stationary_second_moment(np.array([3.0, 1e4]), np.array(np.inf)) == pytest.approx(
        [0, 0]
    )
    widest = stationary.stationary_second_moment(np.array([1e8]), np.array([[1.0], [1e3], [1e9]]))
    assert widest == pytest.approx(np.full((3, 1), 1e16 / 3), rel=1e-6)  # flat between the edges
