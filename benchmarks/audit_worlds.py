"""Verifiers and generators whose future is known by brute force: what `veriloop audit` is tried on.

A world is a start model, a verifier and a real mean, drawn from a seed. The model is at 0 with a covariance
near the identity; its rows are Gaussian, of long tails (Student's t with 5 degrees), a mixture, or partly
counts. The verifier is hard or soft, errs, or judges by a feature that is not given.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from veriloop.advise._rivals import GENERATORS, Generator

Floats = NDArray[np.floating]

JUDGES = ("hard ball", "hard box", "soft ball", "soft logistic", "one sided", "flips", "band", "hidden")
SHAPES = ("normal", "normal", "normal", "t5", "mixture", "discrete")
SHARES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 0.5, 0.7, 0.9, 0.99)

FIRST, LATER = 400_000, 20_000
"""Rows of the first round, whose interval is the narrowest, and of later ones."""

FLIPPED = 0.15
HIDDEN = 0.6
"""The correlation of what is not given with one direction of what is."""


@dataclass(frozen=True, eq=False)
class World:
    """What an audit is tried on.

    Attributes:
        d: Features that are given.
        n: Rows that are judged.
        judge: One of `JUDGES`.
        shape: One of `SHAPES`.
        real: The real mean, shape (d,).
        rows: Returns a number of new rows of the start model, with d features or one more that is not given.
        chance: Of their acceptance.
    """

    d: int
    n: int
    judge: str
    shape: str
    real: Floats
    rows: Callable[[np.random.Generator, int], Floats]
    chance: Callable[[Floats], Floats]

    def observed(self, rng: np.random.Generator) -> tuple[Floats, NDArray[np.bool_], Floats]:
        """Generated rows with verdicts, and real rows."""
        x = self.rows(rng, self.n)
        accepted = rng.random(self.n) < self.chance(x)
        return x[:, : self.d], accepted, self.real + rng.standard_normal((self.n, self.d))


def world(seed: int) -> World:
    """A random world; the seed decides all."""
    rng = np.random.default_rng([seed, 17])
    d, n = int(rng.choice([3, 3, 3, 6, 16, 30, 60])), int(rng.choice([1_000, 2_000, 5_000, 20_000]))
    judge, shape = str(rng.choice(JUDGES)), str(rng.choice(SHAPES))
    share = max(float(rng.choice(SHARES)), 60 / n)
    unbiased = rng.random() < 0.4
    direction = _unit(rng, d)
    center = rng.uniform(0.3, 1.3) * direction
    real = center if unbiased else center + rng.uniform(0.2, 1.2) * _unit(rng, d)
    boxed = int(min(d, rng.integers(1, 4)))
    rows = _rows(shape, d, direction if judge == "hidden" else None)
    score = _score(judge, center, direction, boxed)
    tried = score(rows(np.random.default_rng(5), LATER))
    level, width = float(np.quantile(tried, 1 - share)), float(tried.std())

    def chance(x: Floats) -> Floats:
        above = (score(x) - level) / width
        if judge == "soft ball":
            return np.exp(np.minimum(0.7 * (above - 2), 0))
        if judge == "soft logistic":
            return expit(2 * above)
        flipped = FLIPPED if judge == "flips" else 0.0
        return (1 - 2 * flipped) * (above >= 0) + flipped

    return World(d, n, judge, shape, real, rows, chance)


def truths(w: World, rounds: int, rng: np.random.Generator) -> dict[Generator, Floats]:
    """By generator, the means of the rows accepted in rounds 1 to K by brute force, shape (K, d)."""
    base, first = w.rows(rng, LATER), w.rows(rng, FIRST)
    return {generator: _followed(w, generator, base, first, rounds, rng) for generator in GENERATORS}


def _followed(
    w: World, generator: Generator, base: Floats, points: Floats, rounds: int, rng: np.random.Generator
) -> Floats:
    means = []
    while True:
        accepted = w.chance(points)
        if not accepted.any():  # no round can follow, and the last model stays
            return np.array(means + means[-1:] * (rounds - len(means)))
        share = accepted / accepted.sum()
        mean = share @ points
        means.append(mean[: w.d])
        if len(means) == rounds:
            return np.array(means)
        r = points.shape[1]
        scatter = ((points - mean) * share[:, None]).T @ (points - mean)
        root = np.linalg.cholesky(scatter + 1e-10 * np.eye(r))
        if generator == "location":
            points = base + (mean - base.mean(axis=0))
        elif generator == "refit":
            points = mean + rng.standard_normal((LATER, r)) @ root.T
        else:
            width = max(2.0, w.n * accepted.mean()) ** (-1 / (r + 4))
            chosen = rng.choice(len(points), LATER, p=share)
            points = points[chosen] + width * rng.standard_normal((LATER, r)) @ root.T


def _unit(rng: np.random.Generator, d: int) -> Floats:
    x = rng.standard_normal(d)
    return x / np.linalg.norm(x)


def _rows(shape: str, d: int, hidden: Floats | None) -> Callable[[np.random.Generator, int], Floats]:
    def rows(rng: np.random.Generator, n: int) -> Floats:
        x = rng.standard_normal((n, d))
        if shape == "t5":
            x *= np.sqrt(3 / rng.chisquare(5, n))[:, None]
        if shape == "mixture":
            x *= 0.6
            x[:, 0] += np.where(rng.random(n) < 0.5, 0.8, -0.8)
        if shape == "discrete":
            x[:, 0] = (rng.poisson(3, n) - 3) / np.sqrt(3)
        if hidden is None:
            return x
        unseen = HIDDEN * x @ hidden + np.sqrt(1 - HIDDEN**2) * rng.standard_normal(n)
        return np.column_stack([x, unseen])

    return rows


def _score(judge: str, center: Floats, direction: Floats, boxed: int) -> Callable[[Floats], Floats]:
    return {
        "hard box": lambda x: -np.abs((x - center)[:, :boxed]).max(axis=1),
        "band": lambda x: -np.abs((x - center) @ direction),
        "one sided": lambda x: x @ direction,
        "hidden": lambda x: -np.abs(x[:, -1] - 1.0),
    }.get(judge, lambda x: -np.square(x - center).sum(axis=1))
