"""Cumulants of the truncated normal against 50-digit arithmetic."""

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veriloop.errors import DomainError
from veriloop.theory import truncated_cumulants, truncated_moments


def by_mpmath(alpha: float, beta: float) -> tuple[Any, Any, Any, Any]:
    """Log mass and cumulants by the textbook formulas; 600 digits leave 50 after all cancellation."""
    with mpmath.workdps(600):
        a, b = mpmath.mpf(alpha), mpmath.mpf(beta)

        def boundary(power: int, x: Any) -> Any:
            return mpmath.mpf(0) if mpmath.isinf(x) else x**power * mpmath.npdf(x)

        mass = (mpmath.erf(b / mpmath.sqrt(2)) - mpmath.erf(a / mpmath.sqrt(2))) / 2
        first = (boundary(0, a) - boundary(0, b)) / mass
        second = 1 + (boundary(1, a) - boundary(1, b)) / mass
        third = 2 * first + (boundary(2, a) - boundary(2, b)) / mass
        k2 = second - first**2
        return mpmath.log(mass), first, k2, third - 3 * first * second + 2 * first**3


EDGES = [
    (8.0, 9.0),
    (-9.0, -8.0),
    (-40.0, 1.0),
    (-40.0, -39.5),
    (-40.0, 40.0),
    (40.0, math.inf),
    (-math.inf, -30.0),
    (-math.inf, math.inf),
    (0.0, math.inf),
    (-0.3, math.inf),
    (1.0, 1.0 + 1e-6),
    (-5e-7, 5e-7),
    (20.0, 20.0 + 1e-6),
    (-3.0, 3.0),
    (-2.5, 1.0),
    (0.0, 3.99),
    (-1.81, 1.79),
    (-9.6, 9.4),
]


@pytest.mark.parametrize(("alpha", "beta"), EDGES)
def test_edge_intervals(alpha: float, beta: float):
    assert_equals_mpmath(alpha, beta)


def test_random_intervals():
    rng = np.random.default_rng(0)
    for _ in range(100):
        start, width = rng.uniform(-25, 25), 10 ** rng.uniform(-7, 2)
        assert_equals_mpmath(start, start + width)
        left, right = rng.uniform(0, 5, 2)
        assert_equals_mpmath(-left, right)


def assert_equals_mpmath(alpha: float, beta: float) -> None:
    log_mass, k1, k2, k3 = by_mpmath(alpha, beta)
    moments = truncated_moments(alpha, beta, order=3)
    scale = float(mpmath.sqrt(k2))
    # Relative, except where symmetry makes the value vanish: then to 1e-3 of the interval's own scale.
    assert float(moments.log_mass - log_mass) == pytest.approx(0, abs=1e-12 * max(1.0, abs(float(log_mass))))
    assert float(moments.mean - k1) == pytest.approx(0, abs=1e-10 * max(abs(float(k1)), 1e-3 * scale))
    assert float(moments.central[0] / k2) == pytest.approx(1, rel=1e-10)
    assert float(moments.central[1] - k3) == pytest.approx(
        0, abs=1e-10 * max(abs(float(k3)), 1e-3 * scale**3)
    )


def test_broadcasts_and_mixes_easy_with_hard_intervals():
    alpha = np.array([-1.0, 8.0, -np.inf])
    beta = np.array([[9.0], [np.inf]])
    k1, k2, k3 = truncated_cumulants(alpha, beta)
    assert k1.shape == k2.shape == k3.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            one = truncated_cumulants(alpha[j], beta[i, 0])
            assert (k1[i, j], k2[i, j], k3[i, j]) == pytest.approx(
                [float(k) for k in one], rel=1e-12, abs=1e-13
            )


@given(st.floats(-1e6, 1e6), st.floats(1e-9, 1e6))
def test_no_nan_and_within_the_interval(alpha: float, width: float):
    beta = alpha + width
    k1, k2, _ = truncated_cumulants(alpha, beta)
    assert alpha <= k1 <= beta
    popoviciu = (beta - alpha) ** 2 / 4
    assert 0 < k2 <= min(1.0, popoviciu) * (1 + 1e-12)


@given(st.floats(-8, 8), st.floats(0.01, 8))
def test_mirror_symmetry(alpha: float, width: float):
    left = truncated_cumulants(alpha, alpha + width)
    right = truncated_cumulants(-alpha - width, -alpha)
    for a, b, sign in zip(left, right, (-1, 1, -1), strict=True):
        assert a == pytest.approx(sign * b, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.nan)])
def test_empty_intervals_are_refused(alpha: float, beta: float):
    with pytest.raises(DomainError, match="interval is empty"):
        truncated_cumulants(alpha, beta)
