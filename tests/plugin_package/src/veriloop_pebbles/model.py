"""A model of pebbles: one Gaussian for each place, wider than it should be."""

import time
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from veriloop.generator import Generator
from veriloop.learners.base import Learner
from veriloop.samples import Samples


class Model(Generator):
    """Means and standard deviations by place, both of shape (2, 2)."""

    def __init__(self, mean: NDArray, sd: NDArray) -> None:
        self.mean, self.sd = mean, sd

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        place = condition.array("place")
        size = self.mean[place] + self.sd[place] * rng.standard_normal((n, 2))
        return Samples(size=size, place=place)

    def save(self, directory: Path) -> None:
        save_file({"mean": self.mean, "sd": self.sd}, directory / "model.safetensors")

    @classmethod
    def load(cls, directory: Path) -> Self:
        saved = load_file(directory / "model.safetensors")
        return cls(saved["mean"], saved["sd"])


class Blobs(Learner, frozen=True):
    """Fits a `Model`.

    Attributes:
        wider: By how much its standard deviations are too large.
        seconds: How long it rests first; for who wants to kill it meanwhile.
    """

    wider: float = 1.3
    seconds: float = 0.0
    generator_type: ClassVar[type[Generator]] = Model

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Model:
        time.sleep(self.seconds)
        size, place = samples.array("size"), samples.array("place")
        mean = np.array([size[place == p].mean(axis=0) for p in range(2)])
        sd = self.wider * np.array([size[place == p].std(axis=0) for p in range(2)])
        return Model(mean + 1e-6 * rng.standard_normal(mean.shape), sd)
