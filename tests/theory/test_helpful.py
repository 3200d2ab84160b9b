"""The set of helpful biases against the theory it inverts, and against simulated chains."""

import numpy as np
import pytest

from veriloop.errors import DomainError
from veriloop.linear import simulate
from veriloop.theory import LinearSystem, helpful_biases, one_round_grid, orthogonal_system, trajectory


@pytest.fixture
def system() -> LinearSystem:
    star = np.ones(4)
    return LinearSystem(star, star + 0.1, 0.3, singular_values=[8.0, 9.0, 10.0, 11.0])


@pytest.mark.parametrize("rounds", [1, 4])
@pytest.mark.parametrize("radius", [0.1, 0.6, 2.0])
def test_the_error_is_the_baseline_at_the_ends(system: LinearSystem, rounds: int, radius: float):
    helpful = helpful_biases(system, 1000, rounds, radius)
    assert len(helpful)
    for bias in helpful[helpful > 0]:
        error = trajectory(system.moved(bias=bias, radius=radius), 1000, rounds).mse_star[rounds]
        assert error == pytest.approx(system.baseline, rel=1e-8)


@pytest.mark.parametrize("radius", [0.1, 1.0, 2.0, 3.0, 10.0])
@pytest.mark.parametrize(("p", "n0"), [(1, 1), (1, 4), (2, 18), (8, 100), (3, 1000)])
@pytest.mark.parametrize("n", [5, 100, np.inf])
def test_no_helpful_bias_is_missed(radius: float, p: int, n0: int, n: float):
    system = orthogonal_system(0.1, radius, p=p, n0=n0, allow_outside=True)
    helpful = helpful_biases(system, n)
    biases = np.linspace(0, (radius + 9) * 1.5 * np.sqrt(p), 2001)
    gain = 1 - one_round_grid(system, biases, [radius], n).mse[:, 0] / system.baseline
    inside = ((helpful[:, :1] <= biases) & (biases < helpful[:, 1:])).any(axis=0)
    clear = np.abs(gain) > 1e-8  # the grid's own accuracy
    np.testing.assert_array_equal(inside[clear], gain[clear] > 0)


def test_none_helps_with_few_samples(system: LinearSystem):
    assert helpful_biases(system, 5).shape == (0, 2)


def test_an_island_of_helpful_biases_is_real():
    """A bias of 0 harms, one of 2 helps, one of 3.5 harms: simulated, 4 standard errors apart at least."""
    system = orthogonal_system(1.0, 3.0, p=1, n0=4)
    ((low, high),) = helpful_biases(system, 100)
    assert 0.5 < low < 2 < high < 3.5
    for bias, helps in ((0.0, False), (2.0, True), (3.5, False)):
        at = orthogonal_system(bias, 3.0, p=1, n0=4, allow_outside=True)
        run = simulate(at, 100, 1, 200_000, seed=4)
        assert (run.mse_star[1] - 0.25 < -4 * run.mse_star_se[1]) == helps
        assert (run.mse_star[1] - 0.25 > 4 * run.mse_star_se[1]) == (not helps)


def test_a_verifier_that_accepts_nothing_is_refused(system: LinearSystem):
    strict = LinearSystem([0.0], [0.0], 1.0, sigma_c=0.0, singular_values=10.0)
    with pytest.raises(DomainError, match="never accepts"):
        helpful_biases(strict, 10, radius=0.0, direction=[1.0])
