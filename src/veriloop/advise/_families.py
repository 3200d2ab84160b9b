"""Families of curves that a quantity may follow over rounds; a few rounds rule out none of them.

In the linear theory a mean contracts towards the knowledge center (section 4 of arXiv 2510.16657), and its
squared distance to the truth is a + b rho^k + c rho^(2k) if all rounds keep the same number of samples: an
exponential with at most one turn. If the schedule grows, the noise floor c/n_k keeps falling. Other
quantities follow other laws, so there are rivals: power laws, the logarithm, the straight line, the sigmoid,
a drift plus a random walk, and the random walk alone, for which the last value is the best forecast.

Every curve is, with K the last round so far and g the shape of its family,

    level + change (g(k) - g(K))/(g(0) - g(K)) + second h(k) + jump [k = 0],

so ``change`` is the change since round 0. The second term is an overshoot of the exponential, or the noise
floor. The start model may lie off the curve, by ``jump``, because only it was trained on real data.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# The priors, in rounds and in units of the range of the values so far. They are wide on purpose.
_LEVEL, _CHANGE = 2.0, 1.0
_JUMPS, _JUMP_PROBABILITIES = (0.003, 1.0), (0.25, 0.75)
_HUMPS, _HUMP_PROBABILITIES = (0.003, 0.5), (0.7, 0.3)
_EXPONENTS, _OFFSETS = (0.25, 0.5, 1.0, 2.0), (0.5, 1.0, 3.0)
_MIDDLES, _WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.4), (0.05, 0.1, 0.2)
# From the foot of a sigmoid, no rise to more than a few times the range so far can be forecast.
_FIFTH = 0.2
_FLOORS = (0.05, 1.0)
# Small changes of the number kept, such as those of a threshold, are not a schedule.
_GROWS = 1.2
WANDERING = ("drift", "walk")
"""The families of a line, or of a curve that settles, plus a random walk; and of a random walk alone."""
PRIOR = {
    "exponential": 0.3,
    "power": 0.2,
    "logarithm": 0.1,
    "line": 0.1,
    "sigmoid": 0.1,
    "drift": 0.2,
    "walk": 0.4,
    "noise_floor": 0.3,
}
"""Prior weight of each family; they need not sum to 1. If the schedule grows, the noise floor replaces the
exponential."""


class Family(NamedTuple):
    """Curves of one family, for each point of the grid of its shape: c curves over r rounds.

    Attributes:
        name: Key in `PRIOR`.
        terms: Factors of level, change, second and jump, shape (c, r, 4).
        ends: Limits of these factors, shape (c, 4); infinite if there is no limit, and NaN if it is unknown,
            as for a walk, and for a sigmoid before its end.
        scales: Prior standard deviations of the four coefficients, shape (c, 4).
        prior: Prior of each point of the grid, shape (c,); they sum to that of the family.
    """

    name: str
    terms: Floats
    ends: Floats
    scales: Floats
    prior: Floats


def families(last: int, horizon: int, sizes: Sequence[float]) -> list[Family]:
    """Return all families over the rounds 0 to ``horizon``.

    Args:
        last: Last round so far, at least 1.
        horizon: Last round of interest, at least ``last``.
        sizes: Number of samples kept in rounds 1 to ``horizon``; the noise floor is left out if it does not
            change or is unknown.
    """
    k = np.arange(horizon + 1.0)
    rho = 0.5 ** (1 / np.geomspace(0.3, max(15.0, last), 16))[:, None]
    exponential = _since_start(rho**k, 0.0, last)
    hump = 4 * (rho**k - rho ** (2 * k))
    a, c = (part.reshape(-1, 1) for part in np.meshgrid(_EXPONENTS, _OFFSETS))
    middle, width = (last * part.reshape(-1, 1) for part in np.meshgrid(_MIDDLES, _WIDTHS))
    rising = 1 / (1 + np.exp(-(k - middle) / width))
    line = _since_start(k[None], np.inf, last)
    found = [
        _family("exponential", *exponential, hump, 0.0, _HUMPS, _HUMP_PROBABILITIES),
        _family("power", *_since_start((k + c) ** -a, 0.0, last)),
        _family("logarithm", *_since_start(np.log(k + np.array([[1.0], [3.0]])), np.inf, last)),
        _family("line", *line),
        _family("sigmoid", *_since_start(rising, np.nan, last, _FIFTH)),
        _family("drift", settling := np.concatenate([line[0], exponential[0][:10:3]]), _unknown(settling)),
        _family("walk", 0 * line[0], _unknown(line[0])),
    ]
    floor = _floor(sizes, last, horizon)
    if floor is not None:
        # With a growing schedule, the noise floor of the exponential is known to fall.
        falling = np.tile(floor[0], (len(rho), 1)), floor[1]
        found[0] = _family("noise_floor", *exponential, *falling, _FLOORS, (0.5, 0.5))
    return found


def _unknown(terms: Floats) -> Floats:
    return np.full(len(terms), np.nan)


def _floor(sizes: Sequence[float], last: int, horizon: int) -> tuple[Floats, float] | None:
    """Return 1/n_k of each round and in the long run, relative to the last round and to its range so far.

    The start model counts as round 1, because its data were different. A schedule that still grows at the
    horizon is assumed to grow forever.
    """
    n = np.asarray(sizes, float)
    if len(n) < horizon or n.min() <= 0 or n[:last].max() < _GROWS * n[:last].min():
        return None
    floor = 1 / np.concatenate([n[:1], n])
    end = 0.0 if floor[-1] < floor[-2] else floor[-1]
    spread = np.ptp(floor[: last + 1])
    return (floor - floor[last]) / spread, float((end - floor[last]) / spread)


def _since_start(shape: Floats, end: float, last: int, least: float = 0.0) -> tuple[Floats, Floats]:
    """Shift and scale a shape with limit ``end`` so that it is 1 in round 0 and 0 in the last round.

    A shape that has changed by less than ``least`` so far is scaled as if it had changed by that much.
    """
    now = shape[:, last : last + 1]
    come = shape[:, :1] - now
    come = np.copysign(np.maximum(np.abs(come), least), come)
    return (shape - now) / come, ((end - now) / come)[:, 0]


def _family(
    name: str,
    change: Floats,
    end: Floats,
    second: Floats | float = 0.0,
    second_end: float = 0.0,
    second_scales: Sequence[float] = (1.0,),
    second_prior: Sequence[float] = (1.0,),
) -> Family:
    """Return every curve with every scale of its second term and of its jump."""
    start = np.zeros_like(change)
    start[:, 0] = 1.0
    terms = np.stack([np.ones_like(change), change, np.broadcast_to(second, change.shape), start], axis=2)
    ends = np.stack([np.ones_like(end), end, np.full_like(end, second_end), np.zeros_like(end)], axis=1)
    points = [
        (scale, jump, p * q)
        for scale, p in zip(second_scales, second_prior, strict=True)
        for jump, q in zip(_JUMPS, _JUMP_PROBABILITIES, strict=True)
    ]
    scales = np.array([[_LEVEL, _CHANGE, scale, jump] for scale, jump, _ in points])
    count = len(change)
    return Family(
        name=name,
        terms=np.tile(terms, (len(points), 1, 1)),
        ends=np.tile(ends, (len(points), 1)),
        scales=np.repeat(scales, count, axis=0),
        prior=PRIOR[name] * np.repeat([p for *_, p in points], count) / count,
    )
