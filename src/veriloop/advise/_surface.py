"""How the verifier judges: the chance of acceptance at a point, learned from one round of verdicts.

A Bayesian logistic regression on the features, their squares and products, and, where the directions are few,
smooth waves (random Fourier features: A. Rahimi and B. Recht, 2007) for shapes that no ellipse has. Each kind
of term has a prior of a width that the rows decide on (empirical Bayes: D. MacKay, 1992). What the rows
cannot measure stays open: the drawn surfaces differ there, and so do the rounds predicted from them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..laws import logistic
from ._rows import Floats

_PRODUCTS = 10
"""Up to this many directions all products are terms; of more, those of as many that the verifier acts in."""

_WAVY = 4
"""Waves are drawn in up to this many directions."""

_WAVES = 32

_LENGTHS = (1.0, 2.0)
"""The waves' lengths, in spreads."""

_STEPS = 20
"""Newton's steps, each followed by one of the priors' widths."""

_WIDEST = 30.0
"""The widest prior, in log-odds for one spread: a hard edge."""

_PRIOR_TERMS, _PRIOR_SQUARE = 1.0, 0.1**2
"""What the widths' own prior weighs, in terms, and the squared width that it is for."""

_NONE = 1e-2
"""A step this small, in log-odds or in the logarithm of a width, is none."""

_FAR, _MOST = 8.0, 0.99
"""The longest step, in log-odds of this share of the rows: far out the squares are large."""

_HALVINGS = 12
"""How often a step is halved that does not gain, at most."""

_SOME = 60
"""Rows for each term, that the fit begins with."""

_FLAT = 1e-8
"""The prior precision of the constant."""


@dataclass(frozen=True, eq=False)
class Terms:
    """Functions of a point z in units of the model's spread.

    Attributes:
        active: The directions of products and waves, shape (r, k).
        waves: Their wave vectors, shape (k, waves).
        phases: Shape (waves,).
        groups: Which prior each term has, shape (p,); -1 for the constant.
    """

    active: Floats
    waves: Floats
    phases: Floats
    groups: NDArray[np.int64]

    @staticmethod
    def of(active: Floats, rng: np.random.Generator) -> "Terms":
        """Choose the terms of a surface.

        Args:
            active: Directions that the surface depends on, shape (r, k).
            rng: Draws the waves.
        """
        r, k = active.shape
        count = _WAVES if 0 < k <= _WAVY else 0
        waves = rng.standard_normal((k, count)) / np.resize(_LENGTHS, count)
        sizes = (1, r, 1, r, k * (k - 1) // 2 if k == r else k * (k + 1) // 2, count)
        return Terms(active, waves, rng.uniform(0, 2 * np.pi, count), np.repeat(np.arange(-1, 5), sizes))

    def __call__(self, z: Floats) -> Floats:
        """Shape (..., p) of points of shape (..., r)."""
        r, k = self.active.shape
        squares = (z**2 - 1) / np.sqrt(2)
        u = z @ self.active if k < r else z
        first, second = np.triu_indices(k, 1 if k == r else 0)
        parts = [
            np.ones((*z.shape[:-1], 1)),
            z,
            squares.sum(axis=-1, keepdims=True) / np.sqrt(r),
            squares,
            u[..., first] * u[..., second],
        ]
        if len(self.phases):
            parts.append(np.sqrt(2) * np.cos(u @ self.waves + self.phases))
        return np.concatenate(parts, axis=-1)

    def odds(self, points: Floats, weights: Floats) -> Floats:
        """Sums of the terms at points, shape (draws, m, r), under weights, shape (draws, p): (draws, m).

        The same as ``self(points) @ weights`` without the terms in memory.
        """
        r, k = self.active.shape
        ends = np.cumsum([len(np.flatnonzero(self.groups == g)) for g in range(-1, 5)])
        constant, linear, ball, squares, products, waves = np.split(weights, ends[:-1], axis=-1)
        squares = (squares + ball / np.sqrt(r)) / np.sqrt(2)
        first, second = np.triu_indices(k, 1 if k == r else 0)
        form = np.zeros((len(weights), k, k))
        form[:, first, second] = products
        u = points @ self.active if k < r else points
        found = constant - squares.sum(axis=-1, keepdims=True)
        found = found + ((points * points) @ squares[..., None] + points @ linear[..., None])[..., 0]
        found += ((u @ form) * u).sum(axis=-1)
        if len(self.phases):
            # Single precision is enough for waves, and several times as fast.
            angles = (u.reshape(-1, k) @ self.waves + self.phases).astype(np.float32)
            waved = np.cos(angles, out=angles).reshape(*u.shape[:-1], -1)
            found += np.sqrt(2) * (waved @ waves.astype(np.float32)[..., None])[..., 0]
        return found


@dataclass(frozen=True, eq=False)
class Surface:
    """The log-odds of acceptance.

    Attributes:
        terms: What it is made of.
        weights: Shape (p,).
        drawn: The same with errors drawn, shape (draws, p).
        explained: The share of the verdicts' log-loss, against a constant, that it takes off rows it has
            not seen.
    """

    terms: Terms
    weights: Floats
    drawn: Floats
    explained: float


def learn(z: Floats, accepted: Floats, active: Floats, chance: Floats, rng: np.random.Generator) -> Surface:
    """Fit the surface.

    Args:
        z: Rows in units of the model's spread, shape (n, r).
        accepted: 1 or 0, shape (n,).
        active: Directions in which the verifier acts, the strongest first, shape (r, k).
        chance: Random weights of the rows with mean 1, shape (draws, n): each draw is a fit to them.
        rng: Draws waves and priors.
    """
    r = z.shape[1]
    terms = Terms.of(active[:, :_PRODUCTS] if r > _PRODUCTS else np.eye(r), rng)
    x = terms(z)
    rate = accepted.mean()
    weights, precision = np.zeros(x.shape[1]), np.ones(x.shape[1])
    weights[0], precision[0] = np.log(rate / (1 - rate)), _FLAT
    # Most of the way is made on some of the rows.
    some = slice(0, _SOME * x.shape[1])
    for rows in (some, slice(None)):
        weights, precision = _fitted(x[rows], accepted[rows], weights, precision, terms.groups)
    a, inverse = _posterior(x, weights, precision)
    scores = (chance - 1) @ (x * (accepted - a)[:, None])
    prior = rng.standard_normal((len(chance), len(weights))) * np.sqrt(precision)
    drawn = weights + (scores + prior) @ inverse
    leverage = np.einsum("np,np->n", x @ inverse, x)
    left_out = x @ weights - leverage * (accepted - a) / np.maximum(1 - leverage * a * (1 - a), 0.05)
    loss = np.logaddexp(0, np.where(accepted == 1, -left_out, left_out)).mean()
    constant = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    return Surface(terms, weights, drawn, float(1 - loss / constant))


def _fitted(
    x: Floats, accepted: Floats, weights: Floats, precision: Floats, groups: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Newton's steps on the weights, each followed by one on the widths of their priors."""
    precision = precision.copy()
    for _ in range(_STEPS):
        a, inverse = _posterior(x, weights, precision)
        step = inverse @ (x.T @ (accepted - a) - precision * weights)
        far = np.quantile(np.abs(x @ step), _MOST)
        step *= min(1.0, _FAR / max(far, _NONE))
        weights = weights + _share_that_gains(x, accepted, weights, step, precision) * step
        before = precision.copy()
        for group in range(groups.max() + 1):
            of = groups == group
            if of.any():
                measured = of.sum() - (precision[of] * inverse.diagonal()[of]).sum()
                squares = np.square(weights[of]).sum() + _PRIOR_TERMS * _PRIOR_SQUARE
                width = squares / (max(measured, 0.0) + _PRIOR_TERMS)
                precision[of] = max(1 / width, _WIDEST**-2)
        if far < _NONE and np.abs(np.log(precision / before)).max() < _NONE:
            break
    return weights, precision


def _share_that_gains(x: Floats, accepted: Floats, weights: Floats, step: Floats, precision: Floats) -> float:
    """The share of a step, 1 or halved, that makes the verdicts and the weights more probable.

    Where nearly all rows are rejected or accepted, a whole step may go too far, and the next one further.
    """
    odds, moved = x @ weights, x @ step
    signs = 1 - 2 * accepted

    def loss(share: float) -> float:
        """Return the penalised log-loss after this share of the step."""
        at = weights + share * step
        return float(np.logaddexp(0, signs * (odds + share * moved)).sum() + precision @ at**2 / 2)

    now, shares = loss(0.0), 0.5 ** np.arange(_HALVINGS)
    return next((float(share) for share in shares if loss(share) <= now), 0.0)


def _posterior(x: Floats, weights: Floats, precision: Floats) -> tuple[Floats, Floats]:
    """Chances of acceptance, shape (n,), and the weights' covariance, shape (p, p)."""
    a = logistic(x @ weights)
    root = x * np.sqrt(np.maximum(a * (1 - a), _FLAT))[:, None]
    return a, np.linalg.inv(root.T @ root + np.diag(precision))
