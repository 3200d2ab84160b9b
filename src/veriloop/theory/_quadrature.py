"""Nodes and weights: Gauss-Legendre, a trapezoid rule for Gaussians, Chebyshev interpolation."""

from functools import cache

import numpy as np

from .validation import Floats

STRIP = 2.5
"""Distance from the real axis within which the accepted mean T(u) is analytic, in noise units.

Its poles are zeros of the acceptance probability continued to complex u. For a small half width b they lie
near ``i pi / b``, for a large one near the first complex zeros of erfc, ``sqrt(2) * (1.35 + 1.99 i)`` beyond
the edge of the acceptance interval. 2.5 is below all of them. Node counts below follow from it, as analytic
integrands converge geometrically at a rate that this distance sets."""

_DIGITS = 36.0
"""Accuracy of every rule, as a natural logarithm: exp(-36) is 2e-16."""


_MOST_NODES = 10_000
"""Largest number of nodes on each side in :func:`gaussian`; reached at spreads of 500 noise units."""


@cache
def legendre(count: int) -> tuple[Floats, Floats]:
    """Return Gauss-Legendre nodes and weights on [0, 1], each of shape ``(count,)``, read-only."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    nodes, weights = (nodes + 1) / 2, weights / 2
    nodes.flags.writeable = weights.flags.writeable = False
    return nodes, weights


def gaussian(scale: float) -> tuple[Floats, Floats]:
    """Return nodes z and weights w with ``sum w f(scale * z)`` the mean of f under N(0, scale^2).

    The trapezoid rule on a Gaussian converges geometrically, with two limits on its step: the Gaussian
    itself, and the strip in which f is analytic (:data:`STRIP`). Unlike Gauss-Hermite it stays accurate for
    any ``scale``.

    Args:
        scale: The largest standard deviation for which the rule is meant, in noise units.

    Returns:
        Two arrays of equal length; the weights sum to 1.
    """
    reach = np.sqrt(2 * _DIGITS)
    step = 2 * np.pi / reach
    if scale > 0:
        step = min(step, 2 * np.pi * STRIP / (_DIGITS * scale))
    half = int(min(np.ceil(reach / step), _MOST_NODES))
    step = reach / half
    nodes = step * np.arange(-half, half + 1)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


def chebyshev(count: int) -> Floats:
    """Return ``count`` >= 2 Chebyshev points of the second kind on [-1, 1], ascending, shape ``(count,)``."""
    return np.sin(np.pi * np.arange(1 - count, count, 2) / (2 * (count - 1)))


def chebyshev_count(half_length: float, strip: float = STRIP) -> int:
    """Return how many Chebyshev points resolve, to rounding, a function analytic in a strip.

    Args:
        half_length: Half the length of the interval of interpolation.
        strip: Distance of the nearest singularity from the interval, in the same units.
    """
    if half_length <= 0:
        return 2
    return 6 + int(np.ceil(_DIGITS / np.arcsinh(strip / half_length)))


def lagrange(count: int, points: Floats) -> Floats:
    """Return the Lagrange basis on :func:`chebyshev` points, by the barycentric formula.

    Args:
        count: Number of Chebyshev points.
        points: Any shape, within [-1, 1].

    Returns:
        Shape ``points.shape + (count,)``; ``lagrange(count, x) @ f(chebyshev(count))`` interpolates f at x.
    """
    signs = np.where(np.arange(count) % 2, -1.0, 1.0)
    signs[[0, -1]] *= 0.5
    gaps = points[..., None] - chebyshev(count)
    hit = gaps == 0
    rows = signs / np.where(hit, 1.0, gaps)
    rows /= rows.sum(axis=-1, keepdims=True)
    return np.where(hit.any(axis=-1, keepdims=True), hit.astype(np.float64), rows)
