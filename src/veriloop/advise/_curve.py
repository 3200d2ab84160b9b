"""Curves over rounds, drawn from the posterior given the rounds so far.

A curve is one of the `_families`, times unknown coefficients with normal priors. A measurement has two kinds
of noise. That of the metric has a known standard error. That of training another model is unknown and mostly
larger; part of it passes to the next round, which is trained on the samples of this one. A drift also has a
random walk.

Given the family, the shape and the sizes of the noises, this is linear regression with correlated noise,
which has a closed form. On a grid of these, the posterior is exact, and each family is weighted by its
evidence. No fit can fail to converge, and three rounds give wide intervals instead of a wrong certainty.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..rng import Address
from ._families import WANDERING, Family, families

Floats = NDArray[np.float64]

DRAWS = 2_000
"""Number of draws; the ends of 95 % intervals then vary between streams by a few per cent of their width."""

# In units of the range of the values so far; for the walk, of its variance over all rounds so far.
_NOISES = (0.004, 0.015, 0.04, 0.1, 0.25, 0.6)
_PASSED_ON = (0.0, 0.7)
# Rounds are measured on the same held-out rows, so most of a metric's error may be common to all of them.
_NOT_COMMON = (0.1, 1.0)
# The variance of a step falls with the round to this power: many quantities settle.
_SETTLING = (0.0, 2.0)
_WALKS = (0.1, 0.3, 0.8, 2.0)

_RECENT, _BLOCKS = 14, 8


@dataclass(frozen=True, eq=False)
class Curves:
    """Curves that agree with the rounds so far, drawn from the posterior; n draws.

    Attributes:
        values: Without noise, for rounds 0 to the horizon, shape (n, horizon + 1).
        limit: Final value of each curve, shape (n,); infinite if it has none, and NaN if it is unknown.
        measured: Values as they would be measured, with both noises, after the last round so far: shape (n,
            horizon - last).
        families: Posterior probability of each family; they sum to 1.
    """

    values: Floats
    limit: Floats
    measured: Floats
    families: dict[str, float]

    def clipped(self, lowest: float, highest: float) -> Self:
        """Return the same curves for a quantity bounded by these two values."""
        inside = {name: np.clip(getattr(self, name), lowest, highest) for name in ("values", "measured")}
        # A curve may stop anywhere before a bound, so the bound gives no limit to an endless curve.
        limit = np.where(np.isfinite(self.limit), np.clip(self.limit, lowest, highest), self.limit)
        return replace(self, limit=limit, **inside)


def spread_of(values: Floats, errors: Floats) -> float:
    """Return the range of the values so far, at least as large as their noise: the unit of the priors."""
    smallest = max(float(np.abs(values).max()), 1.0) * 1e-9
    return max(float(np.ptp(values)), float(np.median(errors)), smallest)


def draw_curves(
    rounds: NDArray[np.int64],
    values: Floats,
    errors: Floats,
    horizon: int,
    sizes: Sequence[float] = (),
    draws: int = DRAWS,
) -> Curves:
    """Draw curves given measurements; equal arguments give equal draws.

    Args:
        rounds: Rounds with measurements, increasing, at least two; shape (m,).
        values: Measured values, shape (m,).
        errors: Standard errors of the measurements, 0 where unknown, shape (m,).
        horizon: Last round of interest, at least the one after the last measured.
        sizes: Number of samples kept in rounds 1 to ``horizon``; empty if unknown.
        draws: Number of draws.
    """
    unit, last = spread_of(values, errors), int(rounds[-1])
    look, blocks = _places(len(rounds), horizon - last)
    at = np.concatenate([rounds, np.arange(last + 1, horizon + 1)])
    seen = look[: blocks[-1] + 1, : len(rounds)]
    data = _Data(
        rounds=rounds,
        seen=seen,
        values=seen @ ((values - values[-1]) / unit),
        metric=look**2 @ np.concatenate([errors, np.full(horizon - last, np.median(errors))]) ** 2 / unit**2,
    )
    steady, walking = (_noises(at, look, len(rounds), data.metric, walks) for walks in (False, True))
    fits = [_fit(f, walking if f.name in WANDERING else steady, data) for f in families(last, horizon, sizes)]
    best = max(fit.evidence.max() for fit in fits)
    weights = np.array([np.exp(fit.evidence - best).sum() for fit in fits])
    weights /= weights.sum()

    rng = Address(0).rng()
    ends = np.floor(np.cumsum(weights) * draws + rng.random()).astype(int)
    counts = np.diff(np.minimum(ends, draws), prepend=0)
    drawn = [_draw(fit, int(n), data, rng) for fit, n in zip(fits, counts, strict=True) if n]
    curve, walk, noise, limit = (np.concatenate(part) for part in zip(*drawn, strict=True))
    # Between two measurements a walk is where the earlier one left it.
    place = blocks[np.maximum(np.searchsorted(rounds, np.arange(last + 1), side="right") - 1, 0)]
    curve[:, : last + 1] += walk[:, place]
    curve[:, last + 1 :] += walk[:, blocks[-1] + 1 :]
    return Curves(
        values=values[-1] + unit * curve,
        limit=values[-1] + unit * limit,
        measured=values[-1] + unit * (curve[:, last + 1 :] + noise),
        families={fit.family.name: float(w) for fit, w in zip(fits, weights, strict=True)},
    )


class _Data(NamedTuple):
    """The measurements as averages over blocks of rounds, in the unit of the priors.

    Attributes:
        rounds: Rounds with measurements, shape (m,).
        seen: Matrix that averages m measurements into b blocks, shape (b, m).
        values: Averages minus the last value, shape (b,).
        metric: Variances from the metric's standard errors, of blocks and of future rounds, shape (b + h,).
    """

    rounds: NDArray[np.int64]
    seen: Floats
    values: Floats
    metric: Floats


class _Noises(NamedTuple):
    """Covariances of the noises over b blocks and h future rounds, for j sizes of the noises.

    Attributes:
        around: Covariance of training and measuring each model, around the curve; shape (j, b + h, b + h).
        walk: Covariance of the drift of the curve, the same shape.
        inverse: Inverse covariance of both together over the blocks, shape (j, b, b).
        volume: Log determinant of that covariance, shape (j,).
    """

    around: Floats
    walk: Floats
    inverse: Floats
    volume: Floats


class _Fit(NamedTuple):
    """A family's posterior, for each of its c curves and each of the j noises.

    Attributes:
        terms: Terms of the family at the blocks, shape (c, b, 4).
        evidence: Log of prior times probability of the data, shape (c, j), up to a constant.
        mean: Means of the coefficients, shape (c, j, 4).
        information: Inverse of their covariance, shape (c, j, 4, 4).
    """

    family: Family
    noises: _Noises
    terms: Floats
    evidence: Floats
    mean: Floats
    information: Floats


def _places(measured: int, ahead: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the matrix that averages measurements into blocks, and each measurement's block.

    The start model and each of the latest measurements form a block; those between are averaged. Averaging is
    linear, so the rest stays exact, and a chain of 300 rounds costs no more than one of 40.
    """
    old = max(0, measured - 1 - _RECENT)
    between = 1 + np.arange(old) * min(old, _BLOCKS) // max(old, 1)
    first_recent = between[-1] + 1 if old else 1
    blocks = np.concatenate([[0], between, first_recent + np.arange(measured - 1 - old)]).astype(np.int64)
    all_blocks = np.concatenate([blocks, blocks[-1] + 1 + np.arange(ahead)])
    look = (all_blocks == np.arange(all_blocks[-1] + 1)[:, None]).astype(float)
    return look / look.sum(axis=1, keepdims=True), blocks


def _noises(at: NDArray[np.int64], look: Floats, count: int, metric: Floats, walks: bool) -> _Noises:
    """Return the covariances for every size of the noises."""
    b = int(np.argmax(look[:, count - 1])) + 1
    ways = {e: look @ _way(at, count, e) @ look.T for e in _SETTLING}
    passed_on = (0.0,) if walks else _PASSED_ON
    steps = np.abs(at[:, None] - at)
    # 0^0 is 1: the noise of a round is its own.
    alike = {p: look @ (p ** np.arange(steps.max() + 1.0))[steps] @ look.T for p in passed_on}
    shares = _NOT_COMMON if metric.any() else (1.0,)
    each = product(_NOISES, shares, passed_on, *((_WALKS, _SETTLING) if walks else ((0.0,), (0.0,))))
    found = [(s**2 * alike[p] + share * np.diag(metric), walk**2 * ways[e]) for s, share, p, walk, e in each]
    around, walk = (np.array(part) for part in zip(*found, strict=True))
    covariance = (around + walk)[:, :b, :b]
    return _Noises(around, walk, np.linalg.inv(covariance), np.linalg.slogdet(covariance)[1])


def _way(at: NDArray[np.int64], count: int, settling: float) -> Floats:
    """Return covariances of a random walk over the rounds ``at``, 1 at the last measured round."""
    k = np.arange(1, at[-1] + 1.0)
    gone = np.concatenate([[0.0], np.cumsum(k**-settling)])[at]
    gone = (gone - gone[0]) / (gone[count - 1] - gone[0])
    return np.minimum(gone[:, None], gone)


def _fit(family: Family, noises: _Noises, data: _Data) -> _Fit:
    terms = data.seen @ family.terms[:, data.rounds]
    weighted = np.moveaxis(np.tensordot(noises.inverse, terms, axes=(2, 1)), 2, 0)  # (c, j, b, 4)
    prior = 1 / family.scales**2
    information = np.einsum("cbs,cjbt->cjst", terms, weighted) + (np.eye(4) * prior[:, None])[:, None]
    score = np.einsum("cjbt,b->cjt", weighted, data.values)
    mean = np.linalg.solve(information, score[..., None])[..., 0]
    evidence = 0.5 * (
        (score * mean).sum(axis=2)
        - np.einsum("b,jbd,d->j", data.values, noises.inverse, data.values)
        - noises.volume
        - np.linalg.slogdet(information)[1]
        + np.log(prior).sum(axis=1)[:, None]
    )
    evidence += np.log(family.prior / len(noises.volume))[:, None]
    return _Fit(family, noises, terms, evidence, mean, information)


def _draw(fit: _Fit, n: int, data: _Data, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
    """Return n draws of the curve, of the walk at blocks and future rounds, of noise, and of the limit."""
    family, b = fit.family, len(data.values)
    # Systematic resampling: each point of the grid as often as it is probable, up to one.
    total = np.cumsum(np.exp(fit.evidence - fit.evidence.max()))
    point = np.searchsorted(total / total[-1], (np.arange(n) + rng.random()) / n)
    c, j = np.divmod(np.minimum(point, len(total) - 1), fit.evidence.shape[1])
    root = np.linalg.inv(np.linalg.cholesky(fit.information[c, j]))
    coefficients = fit.mean[c, j] + np.einsum("nts,nt->ns", root, rng.standard_normal((n, 4)))
    # The points are in order, so those of one curve are together.
    curve = np.concatenate([coefficients[c == one] @ family.terms[one].T for one in np.unique(c)])
    residual = data.values - np.einsum("nbt,nt->nb", fit.terms[c], coefficients)

    places = fit.noises.walk.shape[1]
    walk, noise = np.zeros((n, places)), np.empty((n, places - b))
    for size in np.unique(j):
        around, of_walk = fit.noises.around[size], fit.noises.walk[size]
        mine = np.flatnonzero(j == size)
        to_come = _given(around[b:, :b], around[b:, b:], fit.noises.inverse[size])
        noise[mine] = to_come(residual[mine], rng)
        if of_walk.any():
            walk[mine] = _given(of_walk[:, :b], of_walk, fit.noises.inverse[size])(residual[mine], rng)
    limit = (family.ends[c] * coefficients).sum(axis=1)
    return curve, walk, noise, limit


def _given(shared: Floats, own: Floats, inverse: Floats) -> Callable[[Floats, np.random.Generator], Floats]:
    """Draw a noise given the residuals: ``shared`` is its covariance with them, ``own`` its own."""
    weights = shared @ inverse
    values, vectors = np.linalg.eigh(own - weights @ shared.T)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    return lambda residual, rng: (
        residual @ weights.T + rng.standard_normal((len(residual), len(own))) @ root.T
    )
