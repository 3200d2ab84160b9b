"""Phase diagrams: the grid equals the cell-by-cell theory."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop.errors import DomainError
from veriloop.executors.threads import limit_threads
from veriloop.theory import (
    LinearSystem,
    compare_estimators,
    estimators_grid,
    one_round_grid,
    one_round_mse,
    trajectory,
    trajectory_grid,
)

BIASES = np.linspace(0, 0.7, 300)
RADII = np.linspace(0.01, 0.5, 300)


@pytest.fixture(scope="module")
def system() -> LinearSystem:
    rng = np.random.default_rng(0)
    star = np.ones(8)
    design = rng.standard_normal((100, 8))
    return LinearSystem.from_design(design, theta_star=star, theta_c=star + 0.1, radius=0.5)


def sample_cells() -> list[tuple[int, int]]:
    rng = np.random.default_rng(1)
    return [(0, 0), (0, 299), (299, 0), (299, 299), *map(tuple, rng.integers(0, 300, (20, 2)))]


@pytest.mark.parametrize("method", ["exact", "expansion"])
def test_one_round_grid_equals_single_cells(system: LinearSystem, method):
    grid = one_round_grid(system, BIASES, RADII, 100, method)
    assert grid.mse.shape == (300, 300)
    for i, j in sample_cells():
        one = one_round_mse(system.moved(bias=BIASES[i], radius=RADII[j]), 100, method)
        assert grid.mse[i, j] == pytest.approx(one.mse, rel=1e-11)
        assert grid.verification_error[i, j] == pytest.approx(one.verification_error, rel=1e-11)
        assert grid.acceptance_rate[i, j] == pytest.approx(one.acceptance_rate, rel=1e-11)
        assert grid.log_gain[i, j] == pytest.approx(one.log_gain, abs=1e-10)


def test_trajectory_grid_equals_single_cells(system: LinearSystem):
    grid = trajectory_grid(system, BIASES, RADII, 100, 12)
    assert grid.mse_star.shape == grid.mse_center.shape == (13, 300, 300)
    for i, j in sample_cells():
        one = trajectory(system.moved(bias=BIASES[i], radius=RADII[j]), 100, 12)
        np.testing.assert_allclose(grid.mse_star[:, i, j], one.mse_star, rtol=1e-10)
        np.testing.assert_allclose(grid.mse_center[:, i, j], one.mse_center, rtol=1e-10)
        assert grid.floor[i, j] == pytest.approx(one.floor, rel=1e-9)
        assert grid.best_round[i, j] == one.best_round
        assert grid.regime[i, j] == one.regime


def test_regimes_are_ordered_along_the_bias(system: LinearSystem):
    grid = trajectory_grid(system, BIASES, RADII, 100, 40)
    order = ["gain_then_plateau", "gain_then_reversal", "harmful"]
    ranks = np.vectorize(order.index)(grid.regime)
    assert np.all(np.diff(ranks, axis=0) >= 0)
    assert set(np.unique(ranks)) == {0, 1, 2}


def test_estimators_grid_equals_single_cells(system: LinearSystem):
    grid = estimators_grid(system, BIASES, RADII, 400)
    for i, j in sample_cells():
        one = compare_estimators(system.moved(bias=BIASES[i], radius=RADII[j]), 400)
        for name in ("real", "filtered_real", "filtered_synthetic", "filtered_both"):
            assert getattr(grid, name)[i, j] == pytest.approx(getattr(one, name), rel=1e-10)
        assert grid.best[i, j] == one.best


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0, 8),
    st.floats(0, 8),
    st.floats(0.3, 30),
    st.floats(0.01, 3),
    st.integers(2, 60),
    st.integers(2, 60),
)
def test_any_grid_equals_single_cells(
    top_bias: float, top_radius: float, mu: float, slack: float, rows: int, columns: int
):
    system = LinearSystem([0.0, 0.0], [0.6, 0.8], 1.0, sigma_c=slack, singular_values=[mu, 2 * mu])
    biases, radii = np.linspace(0, top_bias, rows), np.linspace(0, top_radius, columns)
    grid = one_round_grid(system, biases, radii, 50)
    for i in range(0, rows, 1 + rows // 3):
        for j in range(0, columns, 1 + columns // 3):
            one = one_round_mse(system.moved(bias=biases[i], radius=radii[j]), 50, "exact")
            assert grid.mse[i, j] == pytest.approx(one.mse, rel=1e-9)


def test_a_full_phase_diagram_is_redrawn_in_a_blink(system: LinearSystem):
    """In processor time on one thread, so that a busy machine does not fail it."""
    best = np.inf
    with limit_threads(1):
        for _ in range(5):
            start = time.process_time()
            one_round_grid(system, BIASES, RADII, 100)
            best = min(best, time.process_time() - start)
    assert best < 0.1


def test_bad_axes_are_refused(system: LinearSystem):
    for biases, radii in (([], [0.1]), ([[0.1]], [0.1]), ([0.1], [-0.1]), ([np.nan], [0.1])):
        with pytest.raises(DomainError):
            one_round_grid(system, biases, radii, 100)
    unbiased = LinearSystem([1.0], [1.0], 0.5, singular_values=10.0)
    with pytest.raises(DomainError, match="no bias direction"):
        one_round_grid(unbiased, [0.1], [0.1], 100)
    assert one_round_grid(unbiased, [0.1], [0.1], 100, direction=[-2.0]).mse.shape == (1, 1)
    silent = LinearSystem([1.0], [1.5], 0.5, sigma_c=0.0, singular_values=10.0)
    with pytest.raises(DomainError, match="never accepts"):
        one_round_grid(silent, [0.1], [0.0, 0.1], 100)
