"""Test whether verdicts differ from those of a coin with the same acceptance rate."""

import numpy as np

from ._rows import Floats

_NULL = 4_000
"""Number of simulated coins: p is exact to 0.008."""

_CLIP = 4.0
"""Distance in spreads to which more distant rows are moved, so that a few do not decide."""

_PRODUCTS = 10
"""Largest number of directions for which products are also tested."""


def coin_p(z: Floats, accepted: Floats, rng: np.random.Generator) -> float:
    """Return the probability that a coin moves the accepted rows' mean or second moments at least as far.

    Means, squares, all squares together and products are one statistic each, sums of squared deviations; the
    smallest of their p-values counts, against that of coins. Sums over accepted rows are normal, with the
    covariance of a draw without replacement.

    Args:
        z: Rows in units of the model's spread, shape (n, r).
        accepted: 1 or 0, shape (n,).
        rng: Source of randomness for the coins.
    """
    z = np.clip(z, -_CLIP, _CLIP)
    r = z.shape[1]
    groups = [z, z**2, (z**2).sum(axis=1, keepdims=True)]
    if 1 < r <= _PRODUCTS:
        first, second = np.triu_indices(r, 1)
        groups.append(z[:, first] * z[:, second])
    x = np.concatenate(groups, axis=1)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    ends = np.cumsum([g.shape[1] for g in groups])[:-1]
    n, rate = len(z), accepted.mean()
    found = accepted @ x / np.sqrt(n * rate * (1 - rate))
    sizes, vectors = np.linalg.eigh(x.T @ x / n)
    coins = rng.standard_normal((_NULL, len(sizes))) * np.sqrt(np.maximum(sizes, 0)) @ vectors.T
    tosses = np.vstack([found, coins])
    sums = np.stack([np.square(part).sum(axis=1) for part in np.split(tosses, ends, axis=1)])
    # Ranks among all tosses, the found one too, are p-values.
    ranks = (-sums).argsort(axis=1).argsort(axis=1) + 1
    smallest = ranks.min(axis=0)
    return float(np.mean(smallest <= smallest[0]))
