"""Theorem 3.1 and its exact counterpart."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm, truncnorm

from veriloop.errors import DomainError
from veriloop.theory import LinearSystem, one_round_mse


def one_direction(offset: float, radius: float, mu: float, sigma: float = 1.0) -> LinearSystem:
    return LinearSystem([0.0], [offset], radius, sigma, singular_values=mu, allow_outside=True)


@pytest.mark.parametrize(
    ("offset", "radius", "mu"), [(0.3, 0.4, 10.0), (2.0, 0.1, 1.5), (0.0, 6.0, 0.4), (5.0, 1.0, 3.0)]
)
def test_exact_is_the_integral_over_the_start(offset: float, radius: float, mu: float):
    sigma, n = 1.7, 30
    system = one_direction(offset, radius, mu, sigma)

    def error(t: float) -> float:
        reach = radius + system.sigma_c
        law = truncnorm((offset - reach - t) / sigma, (offset + reach - t) / sigma, t, sigma)
        return (law.mean() ** 2 + law.var() / n) * norm.pdf(t, 0, sigma / mu)

    span = 9 * sigma / mu
    expected, _ = quad(error, -span, span, epsabs=1e-13, epsrel=1e-11, limit=200)
    assert one_round_mse(system, n, "exact").mse == pytest.approx(expected, rel=1e-8)


def test_expansion_converges_at_least_as_fast_as_the_theorem_says():
    star, center = np.zeros(4), np.array([0.4, -0.1, 0.2, 0.0])
    n0 = np.array([100, 400, 1600, 6400, 25600])
    gaps = []
    for size in n0:
        system = LinearSystem(star, center, 0.5, singular_values=np.sqrt(size))
        gaps.append(abs(one_round_mse(system, np.inf).mse - one_round_mse(system, np.inf, "exact").mse))
    slopes = np.diff(np.log(gaps)) / np.diff(np.log(n0))
    assert np.all(slopes <= -4 / 3)


def test_parts_add_up_and_broadcast_over_n():
    system = one_direction(0.2, 0.4, 8.0)
    n = np.array([[10, 100, 1000], [20, 200, np.inf]])
    for method in ("expansion", "exact"):
        result = one_round_mse(system, n, method)
        assert (
            result.mse.shape == result.synthetic_variance.shape == result.verification_error.shape == (2, 3)
        )
        assert result.per_direction.shape == (2, 3, 1)
        np.testing.assert_allclose(result.synthetic_variance + result.verification_error, result.mse)
        assert result.synthetic_variance[1, 2] == 0.0
        assert result.baseline == pytest.approx(1 / 64)
        np.testing.assert_allclose(result.log_gain, 0.5 * np.log(result.baseline / result.mse))


def test_a_verifier_that_accepts_everything_only_adds_noise():
    result = one_round_mse(one_direction(0.0, 1e3, 5.0), 50, "exact")
    assert result.mse == pytest.approx(1 / 25 + 1 / 50)
    assert result.acceptance_rate == pytest.approx(1.0)


def test_even_a_perfect_verifier_needs_many_rounds():
    system = one_direction(0.0, 0.0, 10.0)
    result = one_round_mse(system, np.inf)
    assert 0 < result.mse < result.baseline


@pytest.mark.parametrize("n", [0, -3, 2.5, np.nan, "many", [10, 0]])
def test_bad_sample_sizes_are_refused(n: object):
    with pytest.raises(DomainError, match="n is not"):
        one_round_mse(one_direction(0.0, 1.0, 1.0), n)  # pyright: ignore[reportArgumentType]


def test_unknown_method_is_refused():
    with pytest.raises(DomainError, match="expected expansion or exact"):
        one_round_mse(one_direction(0.0, 1.0, 1.0), 10, "guess")  # pyright: ignore[reportArgumentType]


@given(
    st.lists(st.floats(-3, 3), min_size=1, max_size=5),
    st.floats(0, 10),
    st.floats(0.05, 100),
    st.floats(0.01, 50),
    st.integers(1, 10**6),
)
def test_valid_systems_give_finite_positive_errors(
    center: list[float], radius: float, mu: float, sigma: float, n: int
):
    star = np.zeros(len(center))
    system = LinearSystem(star, center, radius, sigma, singular_values=mu, allow_outside=True)
    exact = one_round_mse(system, n, "exact")
    assert 0 < exact.mse < np.inf
    assert 0 <= exact.acceptance_rate <= 1 + 1e-12  # 0 where it underflows, tens of sigma away
    assert np.isfinite(one_round_mse(system, n).mse)
