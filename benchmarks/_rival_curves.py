"""Curves of which the future is known, for `forecast_skill.py`: eleven laws, drawn at random.

The laws are not the families of the forecast: a sum of 1/i^2 is only nearly a power law, and the exact theory
is a sum over directions. Of each curve the values without noise are known for all rounds, and where it ends.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.theory import LinearSystem, trajectory

Floats = NDArray[np.float64]

ROUNDS = 31
NOISES = (0.005, 0.03, 0.15)
SEEN = (4, 6, 10, 20)
_K = np.arange(ROUNDS)


class Curve(NamedTuple):
    """A law of one quantity over rounds.

    Attributes:
        law: Its name, a key of `LAWS`.
        truth: Without noise, shape (ROUNDS,).
        limit: Where it ends; infinite if it never does, NaN if that is not determined.
        kept: How many samples each round from 1 on keeps.
    """

    law: str
    truth: Floats
    limit: float
    kept: NDArray[np.int64]

    def measured(self, noise: float, reported: bool, rng: np.random.Generator) -> list[RoundRecord]:
        """Records with normal noise, in units of how far the curve goes in ten rounds.

        Args:
            noise: Its standard deviation in these units.
            reported: Whether it is the metric's and its standard error known, or that of training.
            rng: Source of the noise.
        """
        size = noise * (np.ptp(self.truth[:11]) or 1.0)
        values = self.truth + size * rng.standard_normal(ROUNDS)
        return [
            RoundRecord(
                arm="verified",
                round=int(k),
                counts=Counts(kept=int(self.kept[k - 1])) if k else Counts(),
                trained_on=100,
                metrics={"quantity": Estimate(float(values[k]), size if reported else 0.0)},
                seconds={},
            )
            for k in _K
        ]


def _affine(law: str, shape: Callable[[Floats], Floats], limit: float) -> Callable[..., Curve]:
    """Up or down, by any amount, from anywhere."""

    def draw(rng: np.random.Generator) -> Curve:
        size, offset = rng.choice([-1, 1]) * 10 ** rng.uniform(-1, 2), 10 * rng.standard_normal()
        return Curve(
            law,
            offset + size * shape(_K.astype(np.float64)),
            offset + size * limit,
            np.full(ROUNDS - 1, 1_000),
        )

    return draw


def _exponential(rng: np.random.Generator) -> Curve:
    half_life = 0.5 * 20 ** rng.random()
    return _affine("exponential", lambda k: 0.5 ** (k / half_life), 0.0)(rng)


def _sigmoid(rng: np.random.Generator) -> Curve:
    middle, width = rng.uniform(1, 15), rng.uniform(0.5, 3)
    return _affine("sigmoid", lambda k: 1 / (1 + np.exp((middle - k) / width)), 1.0)(rng)


def _walk(law: str, drift: float) -> Callable[..., Curve]:
    def draw(rng: np.random.Generator) -> Curve:
        path = np.concatenate([[0.0], np.cumsum(rng.standard_normal(ROUNDS - 1))])
        return _affine(law, lambda k: path + rng.uniform(0, drift) * k, np.nan)(rng)

    return draw


def _theory(rng: np.random.Generator) -> Curve:
    """The expected squared error of a linear system that keeps 50 k samples in round k."""
    p, bias = int(rng.integers(1, 9)), rng.choice([0.0, rng.uniform(0, 0.3)])
    star = bias * np.eye(p)[0]
    system = LinearSystem(
        star, np.zeros(p), bias + rng.uniform(0, 0.8), singular_values=np.sqrt(rng.integers(5, 100))
    )
    kept = 50 * np.arange(1, ROUNDS)
    return Curve("theory, n_k = 50 k", trajectory(system, kept, ROUNDS - 1).mse_star, bias**2, kept)


LAWS: dict[str, Callable[[np.random.Generator], Curve]] = {
    "exponential": _exponential,
    "sum of 1/i^2": _affine(
        "sum of 1/i^2", lambda k: np.cumsum(np.concatenate([[0.0], 1 / k[1:] ** 2.0])), np.pi**2 / 6
    ),
    "1/sqrt(t + 1)": _affine("1/sqrt(t + 1)", lambda k: (k + 1) ** -0.5, 0.0),
    "1/(t + 1)": _affine("1/(t + 1)", lambda k: 1 / (k + 1), 0.0),
    "logarithm": _affine("logarithm", lambda k: np.log(k + 1), np.inf),
    "theory, n_k = 50 k": _theory,
    "line": _affine("line", lambda k: 1.0 * k, np.inf),
    "sigmoid": _sigmoid,
    "drift": _walk("drift", 1.0),
    "random walk": _walk("random walk", 0.0),
    "flat": _affine("flat", lambda k: 0.0 * k, 0.0),
}


def rival(law: str, noise: float, seen: int, seed: Sequence[int]) -> tuple[Curve, list[RoundRecord]]:
    """A curve of ``law`` and its records; the noise is the metric's in every second one.

    Args:
        law: A key of `LAWS`.
        noise: One of `NOISES`.
        seen: One of `SEEN`, which enters the seed.
        seed: Of the half, and the number in it.
    """
    place = [list(LAWS).index(law), round(1_000 * noise), seen]
    rng = np.random.default_rng([7, *map(int, seed), *place])
    curve = LAWS[law](rng)
    return curve, curve.measured(noise, bool(seed[-1] % 2), rng)
