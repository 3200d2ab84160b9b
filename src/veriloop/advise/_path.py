"""Follow the map of a generator that keeps its spread, round by round, to the knowledge center."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ._judged import FEWEST
from ._rows import Floats
from ._tilt import Step, Tilt

REACH = FEWEST
"""Effective number of accepted rows below which the map is not trusted."""

_NEWTON = 30
"""Largest number of Newton's steps towards the center."""

_STRIDE = 1.0
"""Longest step, in spreads, because the map is not linear and its reach is limited."""

_ARRIVED = 1e-6
"""Length of a step, in spreads, below which it counts as zero."""

_RETREAT = 2 - math.pi / 2
"""Share of the way to a center by which it may retreat and still count as a center.

A verifier that accepts everything above a threshold has no center. For a mean at the threshold, where half is
accepted, Newton's step is 1 / lambda with the hazard lambda = sqrt(2 / pi), and its end moves by 1 - V /
lambda^2 of the way, where V = 1 - 2 / pi is the variance of the accepted rows. Farther in, this grows to 1. A
true center moves less the nearer the mean is.
"""

_SURE = 10 * REACH
"""Effective number of accepted rows from which a center is trusted without this test."""

_WAY = 0.1
"""Shortest distance, in spreads, over which a retreat can be seen."""


class Point(NamedTuple):
    """A mean relative to the generated rows' mean, with each block's contribution to its error.

    Attributes:
        mean: Mean, shape (d,).
        error: Contribution of each block to its error, shape (blocks, d).
        ess: Effective number of accepted rows behind it.
    """

    mean: Floats
    error: Floats
    ess: float


@dataclass(frozen=True, eq=False)
class Path:
    """The result of following the map.

    Attributes:
        first: Step from the current model.
        neutral: Number of directions in which the verifier neither pulls nor narrows.
        acting: The other directions in units of spread, shape (r, k), the strongest first.
        start: Mean after round 1.
        center: Knowledge center; None if there is none.
        newton: Center by one Newton step from the current model.
        extrapolated: Whether the center is beyond the reach of the rows, and so a Newton step from the last
            point in reach.
        widened: Largest ratio of the accepted rows' variance to that of all, along any direction; 1 if it
            could be larger by chance.
    """

    first: Step
    neutral: int
    acting: Floats
    start: Point
    center: Point | None
    newton: Floats
    extrapolated: bool
    widened: float


class _At(NamedTuple):
    """The map at a point in reach."""

    point: Point
    step: Step
    error: Floats
    ahead: Floats


def follow(tilt: Tilt, rounds: int) -> Path:
    """Iterate the map ``rounds`` times, then find its fixed point by Newton's method from there.

    Directions in which the verifier neither pulls nor narrows, as far as the rows show, have no center: the
    mean stays where round 1 leaves it.
    """
    nothing = Point(np.zeros(tilt.rows.d), tilt.rows.deviations, math.inf)
    first, error = tilt.step(nothing.mean, nothing.error)
    active, acting = _active(tilt, first)
    here = Point(first.mean, error, first.ess)
    start, seen = here, [_At(nothing, first, error, _ahead(active, first, nothing.mean))]
    while len(seen) < rounds and (at := _look(tilt, active, here)) is not None:
        seen.append(at)
        here = Point(
            _within(active, at.step.mean, here.mean), _within(active, at.error, here.error), at.step.ess
        )
    center, extrapolated = _center(tilt, active, seen, start)
    return Path(
        first=first,
        neutral=len(tilt.inverse) - acting.shape[1],
        acting=acting,
        start=start,
        center=center,
        newton=_within(active, _ahead(active, first, nothing.mean), first.mean),
        extrapolated=extrapolated,
        widened=_widened(tilt, first),
    )


def _look(tilt: Tilt, active: Floats, point: Point) -> _At | None:
    """Return the map at ``point``, or None if the rows do not reach that far."""
    step, error = tilt.step(point.mean, point.error)
    if step.ess < REACH:
        return None
    return _At(point, step, error, _ahead(active, step, point.mean))


def _ahead(active: Floats, step: Step, mean: Floats) -> Floats:
    """Return Newton's step: how far ahead of ``mean`` the center would be if the map were linear."""
    pull = active @ (step.mean - mean)
    return np.linalg.lstsq(np.eye(len(pull)) - active @ step.slope, pull)[0]


def _noise(tilt: Tilt, step: Step) -> float:
    """Return how large eigenvalues of I - dT/dm* get by chance, in the model's spread.

    The norm of a symmetric matrix of noise of variance 1/n is near 2 sqrt(d / n) (E. Wigner, 1958).
    """
    boundary = tilt.length(step.mean) ** 2 / step.window
    return (2 * math.sqrt(tilt.rows.d) + 1) * math.sqrt(1 / step.ess + boundary)


def _widened(tilt: Tilt, first: Step) -> float:
    largest = float(np.linalg.eigvalsh(tilt.whiten(tilt.whiten(first.scatter).T)).max())
    return largest if largest > 1 + _noise(tilt, first) else 1.0


def _active(tilt: Tilt, first: Step) -> tuple[Floats, Floats]:
    """Return the projector on directions in which the verifier acts, and these, the strongest first."""
    root, inverse = tilt.root, tilt.inverse
    unlike = np.eye(len(inverse)) - inverse @ first.slope @ root
    pull = inverse @ first.mean
    sizes, directions = np.linalg.eigh(unlike @ unlike.T + np.outer(pull, pull))
    chosen = directions[:, np.sqrt(np.maximum(sizes, 0)) > _noise(tilt, first)][:, ::-1]
    return root @ chosen @ chosen.T @ inverse, chosen


def _center(tilt: Tilt, active: Floats, seen: list[_At], start: Point) -> tuple[Point | None, bool]:
    """Return the fixed point of the map and whether it is extrapolated; None if there is none.

    If few rows are left, a judge that always wants more seems to have a center, too, because the rows end. In
    that case, the center that Newton's step points to must have stayed in place while the mean moved towards
    it. Beyond reach, the map must clearly contract.
    """
    arrived, last, eye = False, seen[-1], np.eye(tilt.rows.d)
    for _ in range(_NEWTON):
        length = tilt.length(last.ahead)
        if arrived := length < _ARRIVED:
            break
        further = last.point.mean + last.ahead * min(1.0, _STRIDE / length)
        at = _look(tilt, active, last.point._replace(mean=_within(active, further, start.mean)))
        if at is None:
            break
        seen.append(at)
        last = at
    rho = float(np.linalg.eigvals(active @ last.step.slope).real.max())
    contracts = rho < 1 if arrived else rho < 1 - _noise(tilt, last.step)
    sure = arrived and last.step.ess >= _SURE
    if not contracts or (not sure and _retreats(tilt, seen)):
        return None, False
    # From c = T(c) in the active directions, and c = round 1 in the neutral ones.
    errors = _within(active, last.error - last.point.error @ last.step.slope.T, start.error)
    errors = np.linalg.solve(eye - active @ last.step.slope, errors.T).T
    mean = _within(active, last.point.mean + last.ahead, start.mean)
    return Point(mean, errors, last.step.ess), not arrived


def _within(active: Floats, moved: Floats, start: Floats) -> Floats:
    """Take ``moved`` in active directions and ``start`` in neutral ones; the last axis has the features."""
    return start + (moved - start) @ active.T


def _retreats(tilt: Tilt, seen: list[_At]) -> bool:
    """Return whether the center that Newton's step points to moves away, at the last two reliable points."""
    last, *before = [at for at in reversed(seen) if at.step.ess >= _SURE] or seen[-1:]
    for at in before:
        way = last.point.mean - at.point.mean
        if (length := tilt.length(way)) >= _WAY:
            return tilt.length(way + last.ahead - at.ahead) > _RETREAT * length
    return False
