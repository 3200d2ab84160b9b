"""Three rival models of how a generator is refitted to accepted rows, each followed round by round.

- ``location``: its mean becomes the accepted rows' mean; its shape and spread do not change.
- ``refit``: a Gaussian with the accepted rows' mean and covariance.
- ``resample``: the accepted rows themselves, smoothed (a kernel density with Scott's bandwidth).

All use units of the model's current spread, and judge new rows with the same surface.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from ..laws import logistic
from ._rows import Floats
from ._surface import Surface

Generator = Literal["location", "refit", "resample"]
GENERATORS: tuple[Generator, ...] = get_args(Generator)

_CLOUD = 400
"""Number of points for each drawn surface; all surfaces use the same points."""

_LARGE, _NUMBERS = 20_000, 240_000
"""Number of points for the middle surface, and of numbers behind them; with 4,000 points in few directions,
their error is visible next to that of 20,000 rows."""

_TRACE = 1e-6
"""Least variance that counts as positive."""

_SHAPE = 10
"""Number of rows per direction from which their shape is kept, not only their spread."""

_END, _HALVINGS = 200.0, 30
"""Range of the search for a threshold, in log-odds, and number of its halvings."""


@dataclass(frozen=True, eq=False)
class Start:
    """One round of verdicts, in units of the model's spread.

    Attributes:
        z: Rows, shape (n, r).
        accepted: 1 or 0, shape (n,).
        chance: Random weights of the rows with mean 1, shape (draws, n).
        of: Share of these rows among all judged rows.
        mean: Mean of the accepted rows, shape (r,).
        scatter: Their covariance, shape (r, r).
        count: Number of rows accepted in a round.
        share: Share of all rows that is accepted, if the best are kept and the threshold moves; None if it
            does not move.
    """

    z: Floats
    accepted: Floats
    chance: Floats
    of: float
    mean: Floats
    scatter: Floats
    count: int
    share: float | None

    def resampled(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return errors of means and covariances of the weighted rows; more rows have smaller errors.

        Args:
            weights: Shape (n,).

        Returns:
            Shapes (draws, r) and (draws, r, r).
        """
        each = np.concatenate([weights[None], self.chance * weights])
        each /= each.sum(axis=1, keepdims=True)
        means = each @ self.z
        scatters = np.stack([(self.z * w[:, None]).T @ self.z for w in each])
        scatters -= means[:, :, None] * means[:, None]
        shrink = np.sqrt(self.of)
        return shrink * (means[1:] - means[0]), shrink * (scatters[1:] - scatters[0])


class Course(NamedTuple):
    """A rival's rounds 1, 2, ..., K.

    Attributes:
        mean: Means of the model, shape (K, r).
        scatter: Covariances of the model, shape (K, r, r).
        drawn: Means with drawn errors, shape (draws, K, r).
        luck: Covariances of the mean due to the few rows accepted in each round, shape (K, r, r).
    """

    mean: Floats
    scatter: Floats
    drawn: Floats
    luck: Floats


class _Models(NamedTuple):
    """Models that are followed together, b of them.

    Attributes:
        weights: Weights of the surface that judges each, shape (b, p).
        mean: Means after round 1, shape (b, r).
        scatter: Covariances of the rows accepted in round 1, shape (b, r, r).
        own: Share of each row among them, shape (b, n); shares sum to 1.
        size: Number of points for each model.
    """

    weights: Floats
    mean: Floats
    scatter: Floats
    own: Floats
    size: int


def course(
    generator: Generator, surface: Surface, start: Start, rounds: int, rng: np.random.Generator
) -> Course:
    """Follow one rival for ``rounds`` rounds, by the middle surface and by each drawn one."""
    errors, scatter_errors = start.resampled(start.accepted)
    accepted = start.accepted / start.accepted.sum()
    own = start.chance * accepted
    # The first one has no error except from its few points, so it shows the error of these.
    drawn = _Models(
        weights=np.vstack([surface.weights, surface.drawn]),
        mean=start.mean + np.vstack([np.zeros_like(start.mean), errors]),
        scatter=_positive(
            start.scatter + np.concatenate([np.zeros_like(start.scatter)[None], scatter_errors])
        ),
        own=np.vstack([accepted, own / own.sum(axis=1, keepdims=True)]),
        size=_CLOUD,
    )
    size = min(_LARGE, _NUMBERS // len(start.mean) // 2 * 2)
    middle = _Models(surface.weights[None], start.mean[None], start.scatter[None], accepted[None], size)
    follow = {"location": _located, "refit": _refitted, "resample": _resampled}[generator]
    (mean, scatter, kept), (means, *_) = (follow(surface, start, m, rounds, rng) for m in (middle, drawn))
    return Course(mean[0], scatter[0], mean + means[1:] - means[0], _luck(scatter[0], kept[0], start.count))


def _luck(scatter: Floats, kept: Floats, count: int) -> Floats:
    """Return covariances of the mean; each round adds the error of ``count`` rows, scaled by later maps.

    If rows with covariance A are accepted from a Gaussian with covariance S, the map's slope is A S^-1.
    """
    found, r = [np.zeros_like(kept[0])], kept.shape[-1]
    for before, after in zip(scatter[:-1], kept[1:], strict=True):
        slope = np.linalg.solve(before + _TRACE * np.eye(r), after).T
        found.append(slope @ found[-1] @ slope.T + after / count)
    return np.array(found)


_Followed = tuple[Floats, Floats, Floats]
"""Means, shape (b, K, r), covariances of the models, and of the rows that made them, shape (b, K, r, r)."""


def _located(
    surface: Surface, start: Start, models: _Models, rounds: int, rng: np.random.Generator
) -> _Followed:
    n, r = start.z.shape
    # Too few rows to keep their shape.
    cloud = start.z[rng.permutation(n)[: models.size]] if n >= _SHAPE * r else _normal(models.size, r, rng)
    cloud, means, kept = _matched(cloud), [models.mean], [models.scatter]
    while len(means) < rounds:
        mean, scatter, _ = _accepted(surface, start, models, means[-1][:, None] + cloud)
        means.append(mean)
        kept.append(scatter)
    spread = np.broadcast_to(np.eye(r), (len(models.mean), rounds, r, r))
    return np.stack(means, axis=1), spread, np.stack(kept, axis=1)


def _refitted(
    surface: Surface, start: Start, models: _Models, rounds: int, rng: np.random.Generator
) -> _Followed:
    cloud = _matched(_normal(models.size, start.z.shape[1], rng))
    means, scatters = [models.mean], [models.scatter]
    while len(means) < rounds:
        points = means[-1][:, None] + cloud @ _root(scatters[-1]).transpose(0, 2, 1)
        mean, scatter, _ = _accepted(surface, start, models, points)
        means.append(mean)
        scatters.append(scatter)
    kept = np.stack(scatters, axis=1)
    return np.stack(means, axis=1), kept, kept


def _resampled(
    surface: Surface, start: Start, models: _Models, rounds: int, rng: np.random.Generator
) -> _Followed:
    r, size = start.z.shape[1], models.size
    width = start.count ** (-1 / (r + 4))
    pool = np.stack([start.z[_systematic(share, size, rng)] for share in models.own])
    means, scatters = [models.mean], [models.scatter]
    while len(means) < rounds:
        shaken = _matched(_normal(size, r, rng)) @ _root(scatters[-1]).transpose(0, 2, 1)
        points = pool + (means[-1] - pool.mean(axis=1))[:, None] + width * shaken
        mean, scatter, shares = _accepted(surface, start, models, points)
        means.append(mean)
        scatters.append(scatter)
        pool = np.stack([x[_systematic(share, size, rng)] for x, share in zip(points, shares, strict=True)])
    kept = np.stack(scatters, axis=1)
    return np.stack(means, axis=1), (1 + width**2) * kept, kept


def _accepted(
    surface: Surface, start: Start, models: _Models, points: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return mean and covariance of the accepted points, and the points' shares in them, shape (b, m)."""
    chances = _chances(surface.terms.odds(points, models.weights), start.share)
    shares = chances / np.maximum(chances.sum(axis=1, keepdims=True), 1e-300)
    mean = (shares[:, None] @ points)[:, 0]
    centred = points - mean[:, None]
    return mean, (centred * shares[..., None]).transpose(0, 2, 1) @ centred, shares


def _chances(odds: Floats, share: float | None) -> Floats:
    """Return the probabilities of acceptance, shape (b, m); a moving threshold accepts the given share."""
    if share is None:
        return logistic(odds)
    low, high = np.full((len(odds), 1), -_END), np.full((len(odds), 1), _END)
    for _ in range(_HALVINGS):
        shift = (low + high) / 2
        many = logistic(odds + shift).mean(axis=1, keepdims=True) > share
        low, high = np.where(many, low, shift), np.where(many, shift, high)
    return logistic(odds + (low + high) / 2)


def _normal(size: int, r: int, rng: np.random.Generator) -> Floats:
    half = rng.standard_normal((size // 2, r))
    return np.concatenate([half, -half])[rng.permutation(size)]


def _root(scatter: Floats) -> Floats:
    return np.linalg.cholesky(scatter + _TRACE * np.eye(scatter.shape[-1]))


def _positive(scatter: Floats) -> Floats:
    """Return the matrix with all variances at least a trace, as errors may make them negative."""
    sizes, vectors = np.linalg.eigh(scatter)
    return (vectors * np.maximum(sizes, _TRACE)[:, None]) @ vectors.transpose(0, 2, 1)


def _matched(cloud: Floats) -> Floats:
    """Return the points moved and scaled to mean 0 and covariance 1."""
    cloud = cloud - cloud.mean(axis=0)
    root = _root(cloud.T @ cloud / len(cloud))
    return cloud @ np.linalg.inv(root).T


def _systematic(share: Floats, size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return rows by systematic resampling: each as often as its share says, rounded at random."""
    places = (np.arange(size) + rng.random()) / size
    found = np.searchsorted(np.cumsum(share), places)
    return rng.permutation(np.minimum(found, len(share) - 1))
