"""Who tells good pebbles from bad ones, and which are kept."""

from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from veriloop.generator import Generator
from veriloop.judge import Judge
from veriloop.rules.acceptance import Pointwise
from veriloop.samples import Samples
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier


class Taste(Judge):
    """The mean pebble of each place, shape (2, 2), and how odd a pebble may be to be judged at all."""

    def __init__(self, mean: NDArray, odd: float) -> None:
        self.mean, self.odd = mean, odd

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        away = np.linalg.norm(samples.array("size") - self.mean[samples.array("place")], axis=1)
        decision = np.where(away > self.odd, Decision.ABSTAIN, Decision.OPEN)
        return Verdicts(-away, decision, ["too odd" if far else "" for far in away > self.odd])

    def save(self, directory: Path) -> None:
        Samples(mean=self.mean, odd=np.full(2, self.odd)).save(directory / "taste.npz")

    @classmethod
    def load(cls, directory: Path) -> Self:
        saved = Samples.load(directory / "taste.npz")
        return cls(saved.array("mean"), float(saved.array("odd")[0]))


class Collector(Verifier, frozen=True):
    """Likes what lies near the mean real pebble of its place.

    Attributes:
        odd: From which distance on it cannot tell.
    """

    odd: float = 4.0
    judge_type: ClassVar[type[Judge]] = Taste

    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Taste:
        size, place = real.array("size"), real.array("place")
        return Taste(np.array([size[place == p].mean(axis=0) for p in range(2)]), self.odd)


class Picky(Pointwise, frozen=True):
    """Accepts what lies within ``reach``."""

    reach: float = 0.7

    def decide(self, verdicts: Verdicts, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return verdicts.decide(verdicts.score >= -self.reach)
