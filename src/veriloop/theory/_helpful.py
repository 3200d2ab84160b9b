"""How biased may the verifier be? All biases for which retraining lowers the error, not only the largest.

The error does not always grow with the bias. If an interval cuts more of one side, a bias can narrow the
labels and pull them back, so some systems are harmed by an unbiased verifier and helped by a biased one.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ._chain import chain_errors
from ._one_round import round_parts
from ._system import LinearSystem
from .validation import Floats, at_least, count, sample_sizes

_STEP = 1 / 16
"""Step of the scan in offset, in noise units; errors are analytic within 2.5 of them around every offset."""

_BLOCK = 256
"""Number of biases computed at once."""

ROUNDING = 1e-12
"""Relative fall of the error below which it is rounding, not a gain."""


def helpful_biases(
    system: LinearSystem,
    n: float,
    rounds: int = 1,
    radius: float | None = None,
    direction: ArrayLike | None = None,
) -> Floats:
    """Return the biases Delta for which ``rounds`` rounds lower the error below the baseline.

    The ball is allowed to miss theta*: compare with the radius. Found on the exact theory: a scan over every
    bias that could help, its extremes refined, and the ends between them by root finding.

    Args:
        system: Linear system that provides everything except the bias.
        n: Accepted samples per direction and round.
        rounds: Number of rounds after which to compare with the start.
        radius: Radius to use instead of the system's.
        direction: Vector from theta* to theta_c, shape ``(p,)``; the system's own when None.

    Returns:
        Intervals ``[low, high]``, ascending, shape ``(count, 2)``; empty if no bias helps.

    Raises:
        DomainError: An argument is out of range, or no direction is known.
    """
    size, rounds = float(sample_sizes(n)), count("rounds", rounds)
    unit = system.unit_direction(direction)
    reach = float(at_least("radius", system.radius if radius is None else radius, 0.0)) + system.sigma_c
    if reach <= 0:
        raise DomainError("a verifier with radius 0 and sigma_c 0 never accepts", fix="use a radius above 0")
    width = reach / system.sigma
    # Equivalent directions have the same error, so they are computed once.
    kinds, times = np.unique(
        np.round([np.abs(system.directions @ unit), system.spreads], 12), axis=1, return_counts=True
    )
    along, spreads = kinds

    def excess(biases: ArrayLike) -> Floats:
        """Return the error above the baseline, in units of it; shape of ``biases``."""
        points = np.atleast_1d(np.asarray(biases, dtype=np.float64))
        parts = [
            errors_after(points[i : i + _BLOCK, None] * along / system.sigma, width, spreads, size, rounds)
            @ times
            for i in range(0, len(points), _BLOCK)
        ]
        return np.concatenate(parts) * system.sigma**2 / system.baseline - (1 - ROUNDING)

    biases = _scan(along, spreads, width, float(np.sqrt(system.baseline)) / system.sigma) * system.sigma
    biases = _with_extremes(biases, excess)
    helps = np.concatenate([[False], excess(biases) < 0, [False]]).astype(int)

    def ends(turn: int) -> list[float]:  # +1: it starts to help, -1: it no longer does
        """Return the biases where it starts to help (``turn`` +1) or stops helping (-1)."""
        lefts = [int(i) - 1 for i in np.flatnonzero(np.diff(helps) == turn)]
        return [root(biases[i], biases[i + 1]) if i >= 0 else 0.0 for i in lefts]

    def root(left: float, right: float) -> float:
        """Return the bias between ``left`` and ``right`` at which the excess is 0."""
        return _root(excess, left, right)

    return np.array([ends(1), ends(-1)]).T.reshape(-1, 2)


def errors_after(offset: Floats, half_width: ArrayLike, spread: Floats, n: ArrayLike, rounds: int) -> Floats:
    """Return the squared distance to theta* after ``rounds`` rounds along single directions, over sigma^2.

    Args:
        offset: Shape ``(*B, D)``.
        half_width: Broadcastable to shape ``B``.
        spread: Shape ``(D,)``.
        n: Broadcastable to shape ``B``.
        rounds: At least 1.

    Returns:
        Shape ``(*B, D)``.
    """
    batch = offset.shape[:-1]
    b, sizes = np.broadcast_to(half_width, batch), np.broadcast_to(n, batch)
    if rounds == 1:
        step, kept, _ = round_parts(offset, b[..., None], spread, "exact")
        return step / sizes[..., None] + kept
    return chain_errors(offset, b, spread, np.broadcast_to(sizes, (rounds, *batch)))[0][-1]


def _scan(along: Floats, spreads: Floats, width: float, start_error: float) -> Floats:
    """Return biases in units of sigma that resolve the error wherever it can lie below the baseline.

    Every round ends within the verifier's interval along each direction, so beyond ``(b + start_error) /
    max(along)`` the error is above the start's. Where no edge is near, nothing is cut off and nothing gained.
    """
    steep = float(along.max())
    last = (width + start_error) / steep
    near = 12.0 + 8.0 * float(spreads.max())
    step = _STEP * max(1.0, float(spreads.min()))
    points = [np.array([0.0, last])]
    for share in along[along > 1e-9 * steep]:
        low, high = max(width - near, 0.0) / share, min((width + near) / share, last)
        if low < last:
            points.append(np.linspace(low, high, 2 + int((high - low) * steep / step)))
    return np.unique(np.concatenate(points))


def _with_extremes(biases: Floats, excess: Callable[[ArrayLike], Floats]) -> Floats:
    """Add to the scan those of its extremes that lie on the other side of 0 than their neighbours."""
    values = excess(biases)
    found = []
    for sign in (1.0, -1.0):  # dips that stay above 0, then humps that stay below
        v = sign * values
        dips = np.flatnonzero((v[1:-1] >= 0) & (v[1:-1] <= v[:-2]) & (v[1:-1] <= v[2:])) + 1
        for i in dips:
            if v[i] > max(v[i - 1] - v[i], v[i + 1] - v[i]):
                continue  # too shallow to reach 0 between its neighbours
            bias = _lowest(lambda bias, sign=sign: sign * excess(bias), biases[i - 1], biases[i + 1])
            if sign * excess(bias)[0] < 0:
                found.append(bias)
    return np.union1d(biases, found)


def _root(f: Callable[[Floats], Floats], low: float, high: float) -> float:
    """Return where ``f`` passes 0, which is between the two.

    Many points cost little more than one, so each pass looks at 16 of them and narrows the gap 17-fold.
    """
    for _ in range(12):
        points = np.linspace(low, high, 18)
        passes = np.flatnonzero(np.diff(f(points) >= 0))
        if not len(passes):  # rounding hides it: the gap is as narrow as it gets
            break
        low, high = float(points[passes[0]]), float(points[passes[0] + 1])
    return float(low + high) / 2


def _lowest(f: Callable[[Floats], Floats], low: float, high: float) -> float:
    """Return where ``f`` is lowest between the two, given that it falls and then rises."""
    for _ in range(10):
        points = np.linspace(low, high, 17)
        i = int(f(points).argmin())
        low, high = points[max(i - 1, 0)], points[min(i + 1, 16)]
    return float(low + high) / 2
