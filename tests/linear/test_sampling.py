"""Rejection sampling against the exact moments of truncated normals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veriloop.errors import DomainError
from veriloop.linear import accepted_means
from veriloop.theory import truncated_moments

INTERVALS = [
    (-1.0, 1.0),
    (-0.8, 1.3),
    (-np.inf, np.inf),
    (-3.0, 3.0),
    (0.0, np.inf),
    (0.3, np.inf),
    (-0.1, 6.0),
    (0.3, 1.5),
    (2.0, 3.0),
    (8.0, 9.0),
    (-9.0, -8.0),
    (40.0, np.inf),
    (-np.inf, -40.0),
    (1e4, np.inf),
    (1.0, 1.0 + 1e-6),
]


def scores(alpha: float, beta: float, n: int, rows: int, precision, seed: int = 0) -> np.ndarray:
    """Z-scores of mean, variance and third moment of the means of n draws; normal if sampling is exact."""
    rng = np.random.default_rng(seed)
    means = accepted_means(np.full(rows, alpha), np.full(rows, beta), n, rng, precision)
    moments = truncated_moments(alpha, beta, order=6)
    m2, m3, m4, _, m6 = moments.central
    if n > 1:  # moments of a mean, from cumulants
        m2, m3, m4 = m2 / n, m3 / n**2, (m4 + 3 * (n - 1) * m2**2) / n**3
        m6 = 15 * m2**3 * 1.5  # an upper estimate is enough: the third moment's test is only less sharp
    d = means - moments.mean
    errors = np.sqrt(np.array([m2, m4 - m2**2, m6 - m3**2]) / rows)
    return np.array([d.mean(), (d**2).mean() - m2, (d**3).mean() - m3]) / errors


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(("alpha", "beta"), INTERVALS)
def test_draws_have_the_exact_moments(alpha: float, beta: float, precision):
    assert np.all(np.abs(scores(alpha, beta, 1, 100_000, precision)) < 4.5)
    assert np.all(np.abs(scores(alpha, beta, 7, 20_000, precision)) < 4.5)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta"), [(-0.9, 1.1), (0.2, 2.0), (2.0, 3.0), (-2.5, 2.5)])
def test_float32_draws_stay_exact_in_millions(alpha: float, beta: float):
    assert np.all(np.abs(scores(alpha, beta, 1, 4_000_000, "float32")) < 4.5)


def test_rows_are_independent_of_their_neighbours_kind():
    """A batch that mixes all proposals gives each row its own law."""
    alpha = np.tile([-1.0, -4.0, 8.0, -np.inf], 20_000)
    beta = np.tile([1.0, 4.0, 9.0, -2.0], 20_000)
    means = accepted_means(alpha, beta, 3, np.random.default_rng(5)).reshape(-1, 4)
    exact = truncated_moments(alpha[:4], beta[:4], order=2)
    z = (means.mean(axis=0) - exact.mean) / np.sqrt(exact.central[0] / 3 / len(means))
    assert np.all(np.abs(z) < 4.5)
    correlation = np.corrcoef(means.T) - np.eye(4)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(len(means))


def test_long_sums_lose_nothing():
    alpha, beta, n = np.full(40, -0.7), np.full(40, 1.1), 100_000
    means = accepted_means(alpha, beta, n, np.random.default_rng(2))
    exact = truncated_moments(-0.7, 1.1, order=2)
    z = (means - exact.mean) / np.sqrt(exact.central[0] / n)
    assert abs(z.mean()) < 4 / np.sqrt(40)
    assert 0.6 < z.std() < 1.4


def test_same_stream_same_means():
    alpha, beta = np.linspace(-3, 2, 50), np.linspace(-2, 4, 50)
    first, second = (accepted_means(alpha, beta, 20, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(("alpha", "beta", "n"), [(1.0, 1.0, 3), (0.0, np.nan, 3), (0.0, 1.0, 0)])
def test_bad_arguments_are_refused(alpha: float, beta: float, n: int):
    with pytest.raises(DomainError):
        accepted_means(np.array([alpha]), np.array([beta]), n, np.random.default_rng(0))


@settings(max_examples=60, deadline=None)
@given(st.floats(-50, 50), st.floats(1e-6, 50), st.integers(1, 600), st.integers(0, 2**32))
def test_means_lie_in_the_interval(alpha: float, width: float, n: int, seed: int):
    means = accepted_means(np.full(5, alpha), np.full(5, alpha + width), n, np.random.default_rng(seed))
    assert np.all(np.isfinite(means))
    slack = 1e-6 * (abs(alpha) + width)
    assert np.all((alpha - slack <= means) & (means <= alpha + width + slack))
