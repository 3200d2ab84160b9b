"""Best radius, samples needed, and the comparison of estimators."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from veriloop.errors import DomainError
from veriloop.theory import (
    LinearSystem,
    best_radius,
    compare_estimators,
    helpful_biases,
    one_round_mse,
    samples_needed,
    trajectory,
)


@pytest.fixture
def system() -> LinearSystem:
    star = np.ones(4)
    return LinearSystem(star, star + 0.1, 0.3, singular_values=[8.0, 9.0, 10.0, 11.0])


@pytest.mark.parametrize("rounds", [1, 3])
def test_best_radius_beats_its_neighbours(system: LinearSystem, rounds: int):
    best = best_radius(system, [200, 2000], rounds, low=0.0)
    for i, n in enumerate((200, 2000)):
        radius = best.radius[i]
        for other in (radius, radius * 0.98, radius * 1.02 + 1e-3):
            error = trajectory(system.moved(radius=other), n, rounds).mse_star[rounds]
            assert error >= best.mse[i] * (1 - 1e-9)
    np.testing.assert_allclose(best.generated_per_kept * best.acceptance_rate, 1.0)


def test_best_radius_keeps_the_truth_in_the_ball_by_default(system: LinearSystem):
    assert best_radius(system, 100).radius >= system.bias
    with pytest.raises(DomainError, match="range of radii is empty"):
        best_radius(system, 100, low=1.0, high=0.5)


def test_samples_needed_is_the_smallest_n(system: LinearSystem):
    gain = np.array([0.0, 0.2, 0.4])
    needed = samples_needed(system, gain)
    for share, n in zip(gain, needed, strict=True):
        assert one_round_mse(system, n, "exact").mse <= (1 - share) * system.baseline * (1 + 1e-12)
        assert one_round_mse(system, n - 1, "exact").mse > (1 - share) * system.baseline
    assert np.isinf(samples_needed(system, 0.99))
    for bad in (1.0, -0.1, np.nan):
        with pytest.raises(DomainError, match="gain"):
            samples_needed(system, bad)


def test_filtered_real_is_the_binomial_mixture():
    system = LinearSystem([0.0], [0.3], 0.4, sigma=2.0, singular_values=6.0)
    one = one_round_mse(LinearSystem([0.0], [0.3], 0.4, sigma=2.0, singular_values=1e9), 1, "exact")
    kept = np.arange(1, 37)
    weight = binom.pmf(kept, 36, one.acceptance_rate)
    expected = one.verification_error + one.synthetic_variance * np.sum(weight / kept) / weight.sum()
    assert compare_estimators(system, 100).filtered_real == pytest.approx(expected, rel=1e-7)


def test_estimators_against_simulation():
    rng = np.random.default_rng(3)
    n0, n, replicates, center, reach = 25, 40, 40_000, 0.3, 1.1
    system = LinearSystem([0.0], [center], reach, sigma_c=0.0, singular_values=np.sqrt(n0))
    real = rng.standard_normal((replicates, n0))
    accepted = np.abs(real - center) <= reach
    start = (real * accepted).sum(axis=1) / accepted.sum(axis=1)

    def retrain(theta: np.ndarray) -> np.ndarray:
        labels = theta[:, None] + rng.standard_normal((replicates, 4 * n))
        mask = np.abs(labels - center) <= reach
        mask &= np.cumsum(mask, axis=1) <= n
        assert np.all(mask.sum(axis=1) == n)
        return (labels * mask).sum(axis=1) / n

    errors = compare_estimators(system, n)
    for name, estimate in {
        "real": real.mean(axis=1),
        "filtered_real": start,
        "filtered_synthetic": retrain(real.mean(axis=1)),
        "filtered_both": retrain(start),
    }.items():
        squares = estimate**2
        assert abs(squares.mean() - getattr(errors, name)) < 4 * squares.std() / np.sqrt(replicates), name


def test_a_good_verifier_filters_best_alone_with_little_and_twice_with_much_synthetic_data(
    system: LinearSystem,
):
    good = system.moved(bias=0.05, radius=0.1)
    assert list(compare_estimators(good, [5, 10_000]).best) == ["filtered_real", "filtered_both"]
    assert compare_estimators(good.moved(bias=2.0), 100).best == "real"


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 5), st.floats(0, 5), st.floats(1, 50), st.integers(1, 10**5))
def test_planning_never_crashes(bias: float, radius: float, mu: float, n: int):
    system = LinearSystem([0.0], [bias], radius, singular_values=mu, allow_outside=True)
    errors = compare_estimators(system, n)
    assert np.all(
        np.isfinite([errors.real, errors.filtered_real, errors.filtered_synthetic, errors.filtered_both])
    )
    helpful = helpful_biases(system, n, direction=[1.0])
    assert np.all(np.diff(helpful.ravel()) > 0)
    assert np.isfinite(best_radius(system, n).mse)
