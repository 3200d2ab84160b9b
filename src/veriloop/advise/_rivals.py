"""Three rival models of how a generator is refitted to accepted rows, each followed round after round.

- ``location``: its mean becomes the accepted rows' mean; its shape and spread stay.
- ``refit``: a Gaussian with the accepted rows' mean and covariance.
- ``resample``: the accepted rows themselves, smoothed (a kernel density with Scott's bandwidth).

All are in units of the model's spread now, and all judge new rows by the same surface.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from scipy.special import expit

from ._rows import Floats
from ._surface import Surface

Generator = Literal["location", "refit", "resample"]
GENERATORS: tuple[Generator, ...] = get_args(Generator)

_CLOUD, _LARGE = 400, 4_000
"""Points for each drawn surface, and for the one in the middle."""


@dataclass(frozen=True, eq=False)
class Start:
    """One round of verdicts, in units of the model's spread.

    Attributes:
        z: Rows, shape (n, r).
        accepted: 1 or 0, shape (n,).
        chance: Random weights of the rows with mean 1, shape (draws, n).
        of: The rows' share of all that were judged.
        mean: Of the accepted rows, shape (r,).
        scatter: Their covariance, shape (r, r).
        count: How many are accepted in a round.
        share: Of all rows, when the best are kept and the threshold moves; None when it stays.
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
        """Means and covariances of the weighted rows with errors drawn, around those of all: `of` shrinks them.

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
        mean: Shape (K, r).
        scatter: The model's covariance, shape (K, r, r).
        drawn: Means with errors drawn, shape (draws, K, r).
        drawn_scatter: Covariances with errors drawn.
    """

    mean: Floats
    scatter: Floats
    drawn: Floats
    drawn_scatter: Floats


def course(
    generator: Generator, surface: Surface, start: Start, rounds: int, rng: np.random.Generator
) -> Course:
    """Follow one rival."""
    errors, scatter_errors = start.resampled(start.accepted)
    means, scatters = start.mean + errors, start.scatter + scatter_errors
    yes = start.chance * start.accepted
    yes /= yes.sum(axis=1, keepdims=True)
    own = np.where(start.accepted, 1 / start.accepted.sum(), 0.0)
    follow = _resampled if generator == "resample" else _moved
    middle, middle_scatter = follow(
        generator,
        surface,
        surface.weights[None],
        start,
        start.mean[None],
        start.scatter[None],
        own[None],
        _LARGE,
        rounds,
        0.0,
        rng,
    )
    drawn, drawn_scatter = follow(
        generator, surface, surface.drawn, start, means, scatters, yes, _CLOUD, rounds, 1.0, rng
    )
    return Course(middle[0], middle_scatter[0], drawn, drawn_scatter)


def _moved(generator, surface, weights, start, mean, scatter, own, size, rounds, noise, rng):
    n, r = start.z.shape
    if generator == "location":
        cloud = start.z[rng.permutation(n)[:size]]
    else:
        half = rng.standard_normal((size // 2, r))
        cloud = np.concatenate([half, -half])
    cloud = _matched(cloud)
    spread = np.broadcast_to(np.eye(r), scatter.shape)
    found, widths = [], []
    for k in range(rounds):
        found.append(mean)
        kept = scatter if generator == "refit" else spread
        widths.append(kept)
        if k == rounds - 1:
            break
        root = np.linalg.cholesky(kept + 1e-9 * np.eye(r))
        points = mean[:, None] + cloud @ root.transpose(0, 2, 1)
        mean, scatter = _accepted(points, _chances(surface, weights, points, start.share))
        mean = mean + noise * _error(scatter, start.count, rng)
    return np.stack(found, axis=1), np.stack(widths, axis=1)


def _resampled(generator, surface, weights, start, mean, scatter, own, size, rounds, noise, rng):
    n, r = start.z.shape
    width = start.count ** (-1 / (r + 4))
    pool = np.stack([start.z[_systematic(w, size, rng)] for w in own])
    pool += (mean - pool.mean(axis=1))[:, None]
    found, widths = [], []
    for k in range(rounds):
        found.append(mean)
        widths.append(scatter * (1 + width**2))
        if k == rounds - 1:
            break
        root = np.linalg.cholesky(scatter + 1e-9 * np.eye(r))
        shaken = rng.standard_normal((size // 2, r))
        shaken = np.concatenate([shaken, -shaken]) if size % 2 == 0 else rng.standard_normal((size, r))
        points = pool + width * _matched(shaken[rng.permutation(size)]) @ root.transpose(0, 2, 1)
        chances = _chances(surface, weights, points, start.share)
        mean, scatter = _accepted(points, chances)
        pool = np.stack(
            [x[_systematic(c / c.sum(), size, rng)] for x, c in zip(points, chances, strict=True)]
        )
        mean = mean + noise * _error(scatter, start.count, rng)
        pool += (mean - pool.mean(axis=1))[:, None]
    return np.stack(found, axis=1), np.stack(widths, axis=1)


def _chances(surface: Surface, weights: Floats, points: Floats, share: float | None) -> Floats:
    odds = surface.terms.odds(points, weights)
    if share is None:
        return expit(odds)
    low, high = np.full((len(odds), 1), -200.0), np.full((len(odds), 1), 200.0)
    for _ in range(30):
        shift = (low + high) / 2
        many = expit(odds + shift).mean(axis=1, keepdims=True) > share
        low, high = np.where(many, low, shift), np.where(many, shift, high)
    return expit(odds + (low + high) / 2)


def _accepted(points: Floats, chances: Floats) -> tuple[Floats, Floats]:
    share = chances / np.maximum(chances.sum(axis=1, keepdims=True), 1e-300)
    mean = (share[:, None] @ points)[:, 0]
    centred = points - mean[:, None]
    return mean, (centred * share[..., None]).transpose(0, 2, 1) @ centred


def _error(scatter: Floats, count: int, rng: np.random.Generator) -> Floats:
    root = np.linalg.cholesky(scatter + 1e-9 * np.eye(scatter.shape[-1]))
    return (root @ rng.standard_normal((*scatter.shape[:2], 1)))[..., 0] / np.sqrt(count)


def _matched(cloud: Floats) -> Floats:
    """Moved to mean 0 and covariance 1."""
    cloud = cloud - cloud.mean(axis=0)
    root = np.linalg.cholesky(cloud.T @ cloud / len(cloud) + 1e-12 * np.eye(cloud.shape[1]))
    return cloud @ np.linalg.inv(root).T


def _systematic(share: Floats, size: int, rng: np.random.Generator) -> Floats:
    """Systematic resampling: each row as often as its share, rounded at random."""
    places = (np.arange(size) + rng.random()) / size
    found = np.searchsorted(np.cumsum(share), places)
    return rng.permutation(np.minimum(found, len(share) - 1))
