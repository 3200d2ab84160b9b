"""Moments of the truncated standard normal, accurate for any interval, however narrow or far out.

The textbook formulas subtract nearly equal numbers when the interval is narrow or far from 0, and lose every
digit there. Here each moment is a Gauss-Legendre sum of same-signed terms over the part of the interval where
the density is above exp(-45) of its peak, so nothing cancels and no special cases are left.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DomainError
from ._quadrature import legendre
from .validation import Floats

_DEPTH = 45.0
"""The density is cut where it falls below exp(-45) = 3e-20 of its peak, far below rounding."""

_REACH = np.sqrt(2 * _DEPTH)
_FEW, _MANY = 16, 48
"""Node counts: the few reach 1e-13 on smooth pieces (see ``_smooth``), the many on any piece."""

_BLOCK = 1024
"""Elements integrated at once, so that the nodes of one block stay in cache."""


class TruncatedMoments(NamedTuple):
    """Moments of the standard normal on [alpha, beta]; every array has the broadcast shape of the ends.

    Attributes:
        log_mass: Log of the probability of the interval under the standard normal.
        mean: Mean.
        central: Central moments of order 2, 3, ..., stacked on a new first axis.
    """

    log_mass: Floats
    mean: Floats
    central: Floats


def truncated_cumulants(alpha: ArrayLike, beta: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return mean, variance and third central moment of the standard normal on [alpha, beta].

    Theorem 3.1 of the paper calls them k1, k2 and k3. Relative error below 1e-10 wherever a value is not tiny
    next to the interval's scale; k1 and k3 pass through 0 for symmetric intervals, with absolute error at
    rounding.

    Args:
        alpha: Lower ends; any shape, may be -inf.
        beta: Upper ends, broadcast against ``alpha``, above it; may be inf.

    Returns:
        ``(k1, k2, k3)``, each of the broadcast shape.

    Raises:
        DomainError: An end is NaN, or an interval is empty.
    """
    moments = truncated_moments(alpha, beta, order=3)
    return moments.mean, moments.central[0], moments.central[1]


def truncated_moments(alpha: ArrayLike, beta: ArrayLike, order: int) -> TruncatedMoments:
    """Log mass, mean and central moments of the standard normal on [alpha, beta].

    Args:
        alpha: Lower ends; any shape, may be -inf.
        beta: Upper ends, broadcast against ``alpha``, above it; may be inf.
        order: The highest central moment, at least 2.

    Raises:
        DomainError: An end is NaN, or an interval is empty.
    """
    low, high = np.broadcast_arrays(np.asarray(alpha, np.float64), np.asarray(beta, np.float64))
    wrong = np.logical_not(low < high)
    if np.any(wrong):
        got = f"[{float(low[wrong].flat[0])}, {float(high[wrong].flat[0])}]"
        raise DomainError("the truncation interval is empty", got=got, expected="alpha < beta")
    shape = low.shape
    mirrored = (-low > high).ravel()
    start, end = np.where(mirrored, [-high.ravel(), -low.ravel()], [low.ravel(), high.ravel()])
    start = np.maximum(start, -_REACH)
    peak = np.maximum(start, 0.0)
    with np.errstate(
        over="ignore"
    ):  # ends near 1e308 give a width of 0 and a log mass of -inf, as they should
        length = np.minimum(end - start, peak - start + 2 * _DEPTH / (peak + np.hypot(peak, _REACH)))
        log_density = -(start**2) / 2 - np.log(2 * np.pi) / 2

    raw = np.empty((order + 1, start.size))
    smooth = _smooth(start, length)
    for nodes, chosen in ((_FEW, np.flatnonzero(smooth)), (_MANY, np.flatnonzero(~smooth))):
        for first in range(0, chosen.size, _BLOCK):
            block = chosen[first : first + _BLOCK]
            raw[:, block] = _integrate(start[block], length[block], nodes, order)

    sign = np.where(mirrored, -1.0, 1.0)
    raw[0] += log_density
    raw[1] = sign * (start + raw[1])
    raw[3::2] *= sign
    return TruncatedMoments(raw[0].reshape(shape), raw[1].reshape(shape), raw[2:].reshape(order - 1, *shape))


def _smooth(start: Floats, length: Floats) -> NDArray[np.bool_]:
    """Return where few nodes suffice: short pieces on which the density falls by at most about exp(-8)."""
    return (length <= 4.0) & (length * (start + length) <= 10.0)


def _integrate(start: Floats, length: Floats, nodes: int, order: int) -> Floats:
    """Return moments under exp(-t (start + t/2)), t in [0, length]: the density relative to ``start``.

    Returns:
        Shape ``(order + 1, start.size)``: log integral, mean of t, then central moments of t from order 2.
    """
    x, w = legendre(nodes)
    t = x[:, None] * length
    density = t * -0.5
    density -= start
    density *= t
    np.exp(density, out=density)
    density *= w[:, None]
    total = density.sum(axis=0)
    density /= total
    result = np.empty((order + 1, start.size))
    with np.errstate(divide="ignore"):
        result[0] = np.log(total) + np.log(length)
    result[1] = np.einsum("km,km->m", density, t)
    t -= result[1]
    density *= t
    for power in range(2, order + 1):
        density *= t
        result[power] = density.sum(axis=0)
    return result
