"""Verifiers and generators whose future is known by brute force: what an audit is tried on."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.floating]

FIRST = 120_000
"""Rows of the first round, whose interval is the narrowest."""

GENERATORS = ("location", "refit", "resample")
JUDGES = ("hard ball", "hard box", "soft ball", "soft logistic", "one sided", "flips", "band", "hidden")
SHAPES = ("normal", "normal", "normal", "t5", "mixture", "discrete")


class World(NamedTuple):
    name: str
    d: int
    n: int
    judge: str
    shape: str
    unbiased: bool
    hidden: bool
    chance: Callable[[Floats], Floats]  # of full rows
    base: Callable[[np.random.Generator, int], Floats]  # standard rows, mean 0, covariance about 1
    start: Floats
    real: Floats


def base_of(shape: str, d: int):
    def normal(rng, n):
        return rng.standard_normal((n, d))

    def tails(rng, n):
        return rng.standard_normal((n, d)) * np.sqrt(3 / rng.chisquare(5, n))[:, None]

    def mixture(rng, n):
        x = 0.6 * rng.standard_normal((n, d))
        x[:, 0] += np.where(rng.random(n) < 0.5, 0.8, -0.8)
        return x

    def discrete(rng, n):
        x = rng.standard_normal((n, d))
        x[:, 0] = rng.poisson(3, n) / np.sqrt(3) - np.sqrt(3)
        return x

    return {"normal": normal, "t5": tails, "mixture": mixture, "discrete": discrete}[shape]


def world(seed: int) -> World:
    """A random world; the seed decides all."""
    rng = np.random.default_rng([seed, 17])
    d, n = int(rng.choice([3, 3, 3, 6, 16, 30, 60])), int(rng.choice([1_000, 2_000, 5_000, 20_000]))
    judge, shape = str(rng.choice(JUDGES)), str(rng.choice(SHAPES))
    return make(rng, d, n, judge, shape)


def make(rng, d, n, judge, shape, share=None, name=""):
    share = (
        share
        if share is not None
        else float(rng.choice([0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.5, 0.7, 0.9, 0.99]))
    )
    share = max(share, 60 / n)
    unbiased = bool(rng.random() < 0.4)
    base = base_of(shape, d)
    offset = rng.standard_normal(d) / np.sqrt(d)
    center = rng.uniform(0.3, 1.3) * offset / np.linalg.norm(offset)
    if unbiased:
        real = center
    else:
        other = rng.standard_normal(d) / np.sqrt(d)
        real = center + rng.uniform(0.2, 1.2) * other / np.linalg.norm(other)
    hidden = judge == "hidden"
    mix = rng.standard_normal((d, d))
    rho = 0.6
    direction = center / np.linalg.norm(center)
    k = int(min(d, rng.integers(1, 4)))
    cut = 1.0
    level = 0.0

    def score(x):
        if judge in ("hard ball", "soft ball", "soft logistic", "flips"):
            return -np.square(x - center).sum(axis=1) / np.sqrt(d)
        if judge == "hard box":
            return -np.abs((x - center)[:, :k]).max(axis=1)
        if judge == "band":
            return -np.abs((x - center) @ direction)
        if judge == "one sided":
            return x @ direction
        return -np.abs(x[:, -1] - 1.0)  # hidden: the last column is not given

    def full(rng, m):
        if not hidden:
            return base(rng, m)
        x = base(rng, m)
        h = rho * x @ direction + np.sqrt(1 - rho**2) * rng.standard_normal(m)
        return np.column_stack([x, h])

    sample = score(full(np.random.default_rng(5), 200_000))
    level = np.quantile(sample, 1 - share)
    width = np.std(sample)
    soft = judge in ("soft ball", "soft logistic")
    sharp = {"soft ball": 0.7, "soft logistic": 2.0}.get(judge, np.inf)
    flip = 0.15 if judge == "flips" else 0.0

    def chance(x):
        s = (score(x) - level) / width
        if judge == "soft ball":  # exponential, capped at 1
            return np.exp(np.minimum(sharp * (s - 2.0), 0.0))
        if judge == "soft logistic":
            return expit(sharp * s)
        return (1 - 2 * flip) * (s >= 0) + flip

    # rows are base rows as they are: the model is at 0 with spread 1
    return World(name, d, n, judge, shape, unbiased, hidden, chance, full, np.zeros(d), real)


def sample(w: World, rng: np.random.Generator):
    x = w.base(rng, w.n)
    accepted = rng.random(w.n) < w.chance(x)
    real = w.real + rng.standard_normal((w.n, w.d))
    return x[:, : w.d], accepted, real


def truth(w: World, generator: str, rounds: int, rng: np.random.Generator, size: int) -> Floats:
    """Means of rounds 1 to K, shape (K, d)."""
    base = w.base(rng, size)
    points, means = w.base(rng, FIRST), []
    for k in range(rounds):
        a = w.chance(points)
        total = a.sum()
        share = a / total
        mean = share @ points
        means.append(mean[: w.d])
        if k == rounds - 1:
            break
        r = points.shape[1]
        scatter = ((points - mean) * share[:, None]).T @ (points - mean)
        if generator == "location":
            points = base + (mean - base.mean(axis=0))
        elif generator == "refit":
            root = np.linalg.cholesky(scatter + 1e-10 * np.eye(r))
            points = mean + rng.standard_normal((size, r)) @ root.T
        else:
            count = max(2.0, w.n * a.mean())
            width = count ** (-1 / (r + 4))
            root = np.linalg.cholesky(scatter + 1e-10 * np.eye(r))
            chosen = rng.choice(len(points), size, p=share)
            points = points[chosen] + width * rng.standard_normal((size, r)) @ root.T
    return np.array(means)
