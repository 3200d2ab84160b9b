"""The normal, Student's and the binomial distribution, and related functions.

SciPy has all of these, but takes 150 MB. Theory and advice need only the few in this file, so they install
without SciPy. The tests compare them with SciPy.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

_MANY = 1_000.0
"""Degrees of freedom from which four terms of a series give Student's quantile up to rounding."""

_log_gamma = np.frompyfunc(math.lgamma, 1, 1)
_erfc = np.frompyfunc(math.erfc, 1, 1)


def normal_density(x: ArrayLike) -> Floats:
    """Return the density of the standard normal law, shape of ``x``."""
    return np.exp(-0.5 * np.square(np.asarray(x, np.float64))) / math.sqrt(2 * math.pi)


def normal_cdf(x: ArrayLike) -> Floats:
    """Return the distribution function of the standard normal law, shape of ``x``; exact far to the left."""
    return 0.5 * np.asarray(_erfc(-np.asarray(x, np.float64) / math.sqrt(2)), np.float64)


def normal_quantile(p: float) -> float:
    """Return the quantile of the standard normal law; plus or minus infinity at ``p`` of 1 or 0."""
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    return NormalDist().inv_cdf(p)


def student_quantile(freedom: float, p: float) -> float:
    """Return the quantile of Student's law.

    Args:
        freedom: Degrees of freedom, above 0, not always whole; the law is the normal one when infinite.
        p: Between 0 and 1, both excluded.
    """
    if p < 0.5:
        return -student_quantile(freedom, 1 - p)
    z = normal_quantile(p)
    if freedom >= _MANY:
        return z + sum(term / freedom**k for k, term in enumerate(_student_terms(z), 1))
    if p == 0.5:
        return 0.0
    # Newton's method for the logarithms of tail and t. The curve is concave, and the normal quantile lies
    # on its left: the second point lies on its right, and all others between that and the root.
    log_t, wanted = math.log(z), math.log(1 - p)
    log_scale = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    for _ in range(100):
        t = math.exp(log_t)
        tail = student_tail(freedom, t)
        density = math.exp(log_scale - (freedom + 1) / 2 * math.log1p(t * t / freedom))
        step = (math.log(tail) - wanted) * tail / (density * t)
        log_t += step
        if abs(step) < 1e-15:
            break
    return math.exp(log_t)


def _student_terms(z: float) -> tuple[float, ...]:
    """Return the series in 1 / freedom around the normal quantile (Abramowitz and Stegun, 26.7.5)."""
    s = z * z
    return (
        z * (s + 1) / 4,
        z * ((5 * s + 16) * s + 3) / 96,
        z * (((3 * s + 19) * s + 17) * s - 15) / 384,
        z * ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160,
    )


def student_tail(freedom: float, t: float) -> float:
    """Return the probability of more than ``t``, which is above 0, by Student's law."""
    a, b, x = freedom / 2, 0.5, freedom / (freedom + t * t)
    if x < (a + 1) / (a + b + 2):
        return _incomplete_beta(a, b, x) / 2
    return (1 - _incomplete_beta(b, a, t * t / (freedom + t * t))) / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Return the regularized incomplete beta function, by its continued fraction (Lentz's method)."""
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            c, d = 1 + term / c, 1 / (1 + term * d)
            fraction *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return front * fraction / a


def binomial(n: int, p: ArrayLike) -> Floats:
    """Return the probabilities of 0 to n successes in n trials, each of chance ``p``, (*p.shape, n + 1)."""
    k, chance = np.arange(n + 1.0), np.asarray(p, np.float64)[..., None]
    ways = log_gamma(n + 1.0) - log_gamma(k + 1) - log_gamma(n - k + 1)
    with np.errstate(divide="ignore"):  # a chance of 0, whose logarithm times 0 successes is 0
        yes, no = (np.nan_to_num(x, neginf=-1e6) for x in (np.log(chance), np.log1p(-chance)))
    return np.exp(ways + k * yes + (n - k) * no)


def log_gamma(x: ArrayLike) -> Floats:
    """Return the logarithm of the gamma function, shape of ``x``."""
    return np.asarray(_log_gamma(np.asarray(x, np.float64)), np.float64)


def logistic(x: ArrayLike) -> Floats:
    """Return ``1 / (1 + exp(-x))``, shape of ``x``."""
    # Below -700 the exponential would overflow; the chance then is 0 for all purposes.
    return 1 / (1 + np.exp(-np.maximum(np.asarray(x, np.float64), -700.0)))


def logit(p: ArrayLike) -> Floats:
    """Return ``log(p / (1 - p))``, shape of ``p``; minus and plus infinity at 0 and 1."""
    chance = np.asarray(p, np.float64)
    with np.errstate(divide="ignore"):
        return np.log(chance) - np.log1p(-chance)


def ranks(values: ArrayLike) -> Floats:
    """Return the rank of each value, from 1, shape (n,); equal values share their mean rank."""
    _, which, count = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[which]
