"""How the verifier judges: the chance of acceptance at a point, learned from one round of verdicts.

A Bayesian logistic regression on the features, their squares and products, and, where the directions are few,
smooth waves (random Fourier features: A. Rahimi and B. Recht, 2007) for shapes that no ellipse has. Each kind
of term has a prior of a width that the rows decide on (empirical Bayes: D. MacKay, 1992). What the rows
cannot measure stays open: the drawn surfaces differ there, and so do the rounds predicted from them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from ._rows import Floats

_ALL_PRODUCTS = 10
"""Up to so many directions all products are terms; of more, those of the directions that matter."""

_ACTIVE = 6
"""So many of them at most."""

_WAVY = 4
"""Waves are drawn in up to so many directions."""

_WAVES = 64

_LENGTHS = (1.0, 2.0)
"""The waves' lengths, in spreads."""

_STEPS = 12
"""Newton's steps, each followed by one of the priors' widths."""

_WIDEST = 30.0
"""The widest prior, in log-odds for one spread: a hard edge."""

_PRIOR_ROWS, _PRIOR_SQUARE = 1.0, 0.1**2
"""What the widths' own prior weighs, in terms, and the squared width that it is for."""

_ONE_WAY = 1e-3
"""Steps in log-odds that are none."""


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
    groups: Floats

    @staticmethod
    def of(active: Floats, rng: np.random.Generator) -> "Terms":
        r, k = active.shape
        count = _WAVES if k <= _WAVY else 0
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
        active: Directions in which the verifier acts, shape (r, k).
        chance: Random weights of the rows with mean 1, shape (draws, n): each draw is a fit to them.
        rng: Draws waves and priors.
    """
    terms = Terms.of(active if z.shape[1] > _ALL_PRODUCTS else np.eye(z.shape[1]), rng)
    x = terms(z)
    p = x.shape[1]
    rate = accepted.mean()
    weights = np.zeros(p)
    weights[0] = np.log(rate / (1 - rate))
    members = [np.flatnonzero(terms.groups == g) for g in range(5)]
    precision = np.full(p, 1.0)
    precision[0] = 1e-8
    for _ in range(_STEPS):
        a = expit(x @ weights)
        curved = x * np.maximum(a * (1 - a), 1e-10)[:, None]
        hessian = x.T @ curved
        factor = cho_factor(hessian + np.diag(precision))
        step = cho_solve(factor, x.T @ (accepted - a) - precision * weights)
        size = np.abs(x @ step).max()
        weights = weights + step * min(1.0, 8.0 / max(size, 1e-12))
        variance = cho_solve(factor, np.eye(p)).diagonal()
        for group in members:
            if len(group):
                square = np.square(weights[group]).sum() + variance[group].sum() + _PRIOR_ROWS * _PRIOR_SQUARE
                precision[group] = max((len(group) + _PRIOR_ROWS) / square, _WIDEST**-2)
    a = expit(x @ weights)
    curved = x * np.maximum(a * (1 - a), 1e-10)[:, None]
    factor = cho_factor(x.T @ curved + np.diag(precision))
    inverse = cho_solve(factor, np.eye(p))
    scores = (chance - 1) @ (x * (accepted - a)[:, None])
    prior = rng.standard_normal((len(chance), p)) * np.sqrt(precision)
    drawn = weights + (scores + prior) @ inverse
    leverage = np.einsum("np,np->n", x @ inverse, x)
    left_out = x @ weights - leverage * (accepted - a) / np.maximum(1 - leverage * a * (1 - a), 0.05)
    loss = np.logaddexp(0, np.where(accepted == 1, -left_out, left_out)).mean()
    constant = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    return Surface(terms, weights, drawn, float(1 - loss / constant))
