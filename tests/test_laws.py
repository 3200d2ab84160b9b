"""Our few laws against SciPy's."""

import math

import numpy as np
import pytest
from scipy import special, stats

from veriloop.laws import (
    binomial,
    log_gamma,
    logistic,
    logit,
    normal_cdf,
    normal_density,
    normal_quantile,
    ranks,
    student_quantile,
)


def test_normal_law() -> None:
    x = np.linspace(-30, 9, 400).reshape(20, 20)
    np.testing.assert_allclose(normal_cdf(x), special.ndtr(x), rtol=1e-12)
    np.testing.assert_allclose(normal_density(x), stats.norm.pdf(x), rtol=1e-13)
    p = [1e-300, 1e-12, 0.025, 0.5, 0.975, 1 - 1e-12]
    np.testing.assert_allclose([normal_quantile(q) for q in p], special.ndtri(p), rtol=1e-12, atol=1e-15)
    assert [normal_quantile(q) for q in (0.0, 1.0)] == [-math.inf, math.inf]


@pytest.mark.parametrize("freedom", [0.3, 1, 2, 3, 7, 8.5, 30, 250, 999.5, 1000, 4321, 10**6, math.inf])
def test_quantiles_of_students_law(freedom: float) -> None:
    p = [1e-6, 0.003, 0.2, 0.4999, 0.5, 0.5001, 0.6, 0.8, 0.9, 0.975, 0.995, 1 - 1e-6]
    found = [student_quantile(freedom, q) for q in p]
    np.testing.assert_allclose(found, special.stdtrit(freedom, p), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("n", [1, 7, 2_000])
def test_binomial_law(n: int) -> None:
    p = np.array([[0.0, 1e-9, 0.3], [0.5, 0.999, 1.0]])
    found = binomial(n, p)
    assert found.shape == (2, 3, n + 1)
    np.testing.assert_allclose(
        found, stats.binom.pmf(np.arange(n + 1), n, p[..., None]), rtol=1e-10, atol=1e-300
    )
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-11)
    assert found[0, 0].tolist() == [1.0] + [0.0] * n
    assert found[1, 2].tolist() == [0.0] * n + [1.0]


def test_functions_of_arrays() -> None:
    x = np.linspace(-800, 800, 161)
    np.testing.assert_allclose(logistic(x), special.expit(x), rtol=1e-13, atol=1e-304)
    p = np.array([0.0, 1e-20, 0.2, 0.5, 0.9, 1.0])
    np.testing.assert_allclose(logit(p), special.logit(p), rtol=1e-14)
    positive = np.linspace(0.1, 200, 77)
    np.testing.assert_allclose(log_gamma(positive), special.gammaln(positive), rtol=1e-13, atol=1e-14)


def test_equal_values_share_a_rank() -> None:
    values = np.random.default_rng(0).integers(0, 30, 100)
    assert ranks(values).tolist() == stats.rankdata(values).tolist()
    assert ranks([]).shape == (0,)
