"""Contraction, the bound of Theorem 4.1, trajectories and their regimes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop.errors import DomainError
from veriloop.theory import (
    LinearSystem,
    Regime,
    acceptance_rate,
    classify,
    contraction_rate,
    long_run_bound,
    one_round_mse,
    trajectory,
    transfer_map,
    truncated_cumulants,
)


def paper_system(bias: float, radius: float = 0.2, n0: int = 100, p: int = 8) -> LinearSystem:
    star = np.ones(p)
    center = star + bias / np.sqrt(p)
    return LinearSystem(star, center, radius, singular_values=np.sqrt(n0), allow_outside=True)


def random_system(rng: np.random.Generator) -> LinearSystem:
    p = int(rng.integers(1, 6))
    rows = np.linalg.qr(rng.standard_normal((p, p)))[0]
    bias = rng.uniform(0, 2)
    center = bias * rows[0]
    mu = 10 ** rng.uniform(-0.3, 1.5, p)
    sigma = 10 ** rng.uniform(-1, 1)
    radius = bias + 10 ** rng.uniform(-2, 0.5)
    return LinearSystem(np.zeros(p), center, radius, sigma, singular_values=mu, directions=rows)


def test_transfer_map_contracts_to_zero_at_rate_rho():
    b = np.array([0.1, 0.8, 1.3, 4.0])
    rho = contraction_rate(b)
    assert np.all((rho > 0) & (rho < 1))
    u = np.linspace(-6, 6, 241)[:, None]
    slope = truncated_cumulants(-b - u, b - u)[1]
    assert np.all(slope <= rho + 1e-12)
    numeric = (transfer_map(u + 1e-5, b) - transfer_map(u - 1e-5, b)) / 2e-5
    np.testing.assert_allclose(numeric, slope, atol=1e-8)
    np.testing.assert_allclose(transfer_map(0.0, b), 0.0, atol=1e-15)
    np.testing.assert_allclose(transfer_map(-u, b), -transfer_map(u, b), atol=1e-12)


def test_acceptance_rate_is_the_mass_of_the_interval():
    assert acceptance_rate(0.0, 1.0) == pytest.approx(0.6826894921370859)
    assert np.all(acceptance_rate([0.0, 1.0, 2.0], 1.0) == acceptance_rate([0.0, -1.0, -2.0], 1.0))


def test_bound_holds_in_200_random_systems_over_30_rounds():
    rng = np.random.default_rng(1)
    for _ in range(200):
        system = random_system(rng)
        sizes = rng.integers(1, 2000, 30) if rng.random() < 0.5 else int(rng.integers(1, 2000))
        curve = trajectory(system, sizes, 30).mse_center
        assert np.all(curve <= long_run_bound(system, sizes, 30) * (1 + 1e-9))


@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 2.0])
def test_without_noise_every_radius_ends_at_the_center(radius: float):
    result = trajectory(paper_system(bias=1.0, radius=radius), np.inf, 200)
    assert result.mse_center[-1] < 1e-7
    assert result.mse_star[-1] == pytest.approx(1.0, abs=1e-3)
    assert result.floor == pytest.approx(1.0)


def test_first_round_equals_the_one_round_quadrature():
    system = paper_system(bias=0.3)
    assert trajectory(system, 100, 1).mse_star[1] == pytest.approx(
        one_round_mse(system, 100, "exact").mse, rel=1e-12
    )


def test_single_draws_per_round_follow_the_exact_kernel():
    """With n = 1 the step's law is the truncated normal itself: integrate it on a grid."""
    b, d, s, rounds = 1.0, 0.4, 0.2, 4
    system = LinearSystem([0.0], [d], 0.0, sigma_c=b, singular_values=1 / s, allow_outside=True)
    x, w = np.polynomial.legendre.leggauss(80)
    grid, w = b * x, b * w
    start = np.linspace(-d - 9 * s, -d + 9 * s, 2001)
    law = np.exp(-(((start + d) / s) ** 2) / 2)
    law /= law.sum()

    def kernel(u: np.ndarray) -> np.ndarray:
        return np.exp(-((grid - u[:, None]) ** 2) / 2) / np.sqrt(2 * np.pi) / acceptance_rate(u, b)[:, None]

    expected, density = [], law @ kernel(start)
    for _ in range(rounds):
        expected.append((density * w) @ grid**2)
        density = (density * w) @ kernel(grid)
    np.testing.assert_allclose(trajectory(system, 1, rounds).mse_center[1:], expected, rtol=1e-5)


def test_floor_is_where_long_runs_end_whatever_the_start():
    for bias in (0.0, 0.5):
        result = trajectory(paper_system(bias), 50, 200)
        assert result.mse_star[-1] == pytest.approx(result.floor, rel=1e-9)
        bound = long_run_bound(paper_system(bias), 50, 200)[-1]
        assert result.floor - bias**2 < bound


@pytest.mark.parametrize(
    ("bias", "n", "rounds", "regime"),
    [
        (0.0, 100, 3, Regime.IMPROVING),
        (0.0, np.inf, 60, Regime.IMPROVING),
        (0.0, 100, 60, Regime.GAIN_THEN_PLATEAU),
        (0.2, 100, 60, Regime.GAIN_THEN_REVERSAL),
        (1.0, 100, 60, Regime.HARMFUL),
    ],
)
def test_regimes(bias: float, n: float, rounds: int, regime: Regime):
    result = trajectory(paper_system(bias), n, rounds)
    assert result.regime is regime
    assert (result.best_round == 0) == (regime is Regime.HARMFUL)


def test_a_curve_that_goes_to_nothing_improves_however_its_last_rounds_are_rounded():
    tails = np.array([[1e-30, 0.0, 0.0], [0.0, 1e-30, 2e-30], [2e-30, 1e-30, 1e-30]])
    curves = np.concatenate([[[1.0, 1.0, 1.0], [1e-20, 1e-20, 1e-20]], tails.T])
    assert classify(curves, np.zeros(3)).tolist() == [Regime.IMPROVING] * 3
    assert classify(curves, np.full(3, 1e-3)).tolist() == [Regime.GAIN_THEN_REVERSAL] * 3


def test_a_growing_schedule_keeps_improving_a_perfect_verifier():
    result = trajectory(paper_system(0.0), 100 * np.arange(1, 31), 30)
    assert result.regime is Regime.IMPROVING
    assert result.best_round == 30


def test_best_round_is_the_first_of_equals():
    result = trajectory(paper_system(0.0), 100, 60)
    assert result.best_round < 30
    assert result.mse_star[result.best_round] == pytest.approx(result.mse_star.min(), rel=1e-8)


@pytest.mark.parametrize(
    ("n", "rounds"), [([10, 10], 3), (0, 3), (10, 0), (10, 2.5), (10, True), (np.ones((2, 2)), 2)]
)
def test_bad_schedules_are_refused(n: object, rounds: object):
    for function in (trajectory, long_run_bound):
        with pytest.raises(DomainError):
            function(paper_system(0.1), n, rounds)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("half_width", [0.0, -1.0, np.nan])
def test_bad_half_widths_are_refused(half_width: float):
    with pytest.raises(DomainError, match="half_width"):
        contraction_rate(half_width)
    with pytest.raises(DomainError, match="half_width"):
        transfer_map(0.0, half_width)


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 5), st.floats(0, 5), st.floats(0.1, 100), st.integers(1, 10**5), st.integers(1, 20))
def test_trajectories_are_finite_and_stay_in_the_ball(
    bias: float, radius: float, mu: float, n: int, rounds: int
):
    system = LinearSystem([0.0, 0.0], [bias, 0.0], radius, singular_values=mu, allow_outside=True)
    result = trajectory(system, n, rounds)
    assert np.all(np.isfinite(result.mse_star))
    assert np.all(result.mse_center[1:] <= 2 * system.half_width**2 * (1 + 1e-9))
    assert result.floor >= bias**2
