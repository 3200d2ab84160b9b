"""The curve that a quantity follows over rounds, drawn from what the rounds so far leave possible.

In the linear theory a mean contracts towards the knowledge center (section 4 of arXiv 2510.16657), and its
squared distance to the truth is a + b rho^k + c rho^(2k): towards a plateau, with at most one turn. Other
quantities are not squared distances, but a contraction moves them in the same way. So the value of round k is
taken to be

    level + change (rho^k - rho^K)/(1 - rho^K) + hump 4 (rho^k - rho^(2k)) + jump [k = 0] + noise,

with K the last round so far. Then ``change`` is how far the curve has come since round 0, and ``hump`` the
height of an overshoot that has its summit after one half-life and vanishes in the long run. The start model
may lie off the curve, by ``jump``, because it alone was trained on real data. The noise of a round is that of
the metric, and that of training another model, which is unknown and mostly the larger one.

Given rho, the noise, and how large hump and jump may be, this is linear regression with normal priors, which
has a closed form; over a grid of these four the posterior is exact. No fit can fail to converge, and three
rounds give wide intervals instead of a wrong certainty.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ..rng import Address

Floats = NDArray[np.float64]

DRAWS = 4_000
"""Enough for 95 % intervals whose ends move by a few per cent of their width from one stream to another."""

# The priors, in rounds and in units of the range of the values so far. Wide on purpose.
_HALF_LIVES = np.geomspace(0.3, 15, 11)
_NOISES = np.array([0.002, 0.01, 0.04, 0.1, 0.25, 0.6])
_JUMPS = np.array([0.003, 1.0])
_HUMPS = np.array([0.003, 0.5])
_HUMP_PROBABILITIES = np.array([0.7, 0.3])
_LEVEL, _CHANGE = 2.0, 1.0


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves that agree with the rounds so far, drawn from the posterior; n draws.

    Attributes:
        values: Without noise, for rounds 0 to the horizon, shape (n, horizon + 1).
        limit: Where each ends, shape (n,).
        measured: Values as they would be measured: with both noises, shape (n, horizon + 1).
    """

    values: Floats
    limit: Floats
    measured: Floats

    def clipped(self, lowest: float, highest: float) -> Self:
        """The same for a quantity whose values lie between these two."""
        inside = {
            name: np.clip(getattr(self, name), lowest, highest) for name in ("values", "limit", "measured")
        }
        return replace(self, **inside)


def spread_of(values: Floats, errors: Floats) -> float:
    """The range of the values so far, and at least their noise: the unit of the priors."""
    smallest = max(float(np.abs(values).max()), 1.0) * 1e-9
    return max(float(np.ptp(values)), float(np.median(errors)), smallest)


def draw_curves(rounds: NDArray[np.int64], values: Floats, errors: Floats, horizon: int) -> Curves:
    """Draw curves given measurements; equal arguments give equal draws.

    Args:
        rounds: In which rounds was measured, increasing, at least two; shape (m,).
        values: What was measured, shape (m,).
        errors: Standard errors of the measurements, 0 where unknown, shape (m,).
        horizon: The last round that is of interest.
    """
    unit, last = spread_of(values, errors), int(rounds[-1])
    grid = np.meshgrid(_HALF_LIVES, _NOISES, _JUMPS, _HUMPS, indexing="ij")
    half_life, noise, jump, hump = (part.ravel() for part in grid)
    prior = np.broadcast_to(_HUMP_PROBABILITIES, grid[0].shape).ravel()
    rho = 0.5 ** (1 / half_life)
    terms = _terms(rho, rounds, last)
    scales = np.stack([np.full_like(rho, _LEVEL), np.full_like(rho, _CHANGE), hump, jump], axis=1)
    precision = 1 / ((errors / unit) ** 2 + noise[:, None] ** 2)
    residual = (values - values[-1]) / unit

    # Of each point of the grid: the normal posterior of the coefficients, and the probability of the data.
    weighted = terms * precision[:, :, None]
    information = np.swapaxes(terms, 1, 2) @ weighted + np.eye(4) / scales[:, None, :] ** 2
    score = np.einsum("cmt,m->ct", weighted, residual)
    mean = np.linalg.solve(information, score[:, :, None])[:, :, 0]
    evidence = 0.5 * (
        np.log(precision).sum(axis=1)
        - 2 * np.log(scales).sum(axis=1)
        - np.linalg.slogdet(information)[1]
        - (precision * residual**2).sum(axis=1)
        + (score * mean).sum(axis=1)
    )
    probability = prior * np.exp(evidence - evidence.max())
    probability /= probability.sum()

    rng = Address(0).rng()
    # Systematic resampling: each point of the grid as often as it is probable, up to one.
    steps = (np.arange(DRAWS) + rng.random()) / DRAWS
    point = np.minimum(np.searchsorted(np.cumsum(probability), steps), len(probability) - 1)
    root = np.linalg.inv(np.linalg.cholesky(information))[point]
    normal = rng.standard_normal((DRAWS, 4))
    coefficients = mean[point] + np.einsum("nts,nt->ns", root, normal)
    curve = np.einsum("nkt,nt->nk", _terms(rho[point], np.arange(horizon + 1), last), coefficients)
    gone = rho[point] ** last
    limit = coefficients[:, 0] - coefficients[:, 1] * gone / (1 - gone)
    of_metric = np.median(errors) / unit
    around = np.hypot(noise[point], of_metric)[:, None] * rng.standard_normal(curve.shape)
    return Curves(
        values=values[-1] + unit * curve,
        limit=values[-1] + unit * limit,
        measured=values[-1] + unit * (curve + around),
    )


def _terms(rho: Floats, rounds: NDArray[np.int64], last: int) -> Floats:
    """What each coefficient is multiplied by, shape (len(rho), len(rounds), 4)."""
    left = rho[:, None] ** rounds
    gone = rho[:, None] ** last
    return np.stack(
        [
            np.ones_like(left),
            (left - gone) / (1 - gone),
            4 * (left - left**2),
            np.broadcast_to(rounds == 0, left.shape).astype(float),
        ],
        axis=2,
    )
