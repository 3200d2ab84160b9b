"""Real digits on both sides of an evaluation, so that every metric's answer is known."""

from pathlib import Path

import numpy as np
import pytest

from veriloop.datasets.base import RealData
from veriloop.datasets.digits import Digits
from veriloop.generator import Generator
from veriloop.metrics.base import Evaluation
from veriloop.samples import Samples


class RealImages(Generator):
    """Draws from a pool of images; its evidence bound is made up, so that its mean is known."""

    def __init__(self, pool: Samples) -> None:
        self.pool = pool

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        rows = [rng.choice(np.flatnonzero(self.pool.array("label") == c)) for c in condition.array("label")]
        return self.pool.select(np.array(rows, np.int64))

    def elbo(self, samples: Samples, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return np.arange(len(samples), dtype=float), np.full(len(samples), 2.0)

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "RealImages":
        raise NotImplementedError


@pytest.fixture(scope="session")
def digits() -> RealData:
    return Digits(start=500).load(0)


@pytest.fixture(scope="session")
def like_real(digits: RealData) -> Evaluation:
    """Generated are real training images: as good as it gets."""
    return Evaluation(RealImages(digits.train), digits.start, digits.test)


@pytest.fixture(scope="session")
def collapsed(digits: RealData) -> Evaluation:
    """Generated is one image of each class, over and over."""
    first = digits.train.select(np.arange(10))
    assert set(first.array("label")) == set(range(10))
    return Evaluation(RealImages(first), first.select(np.arange(200) % 10), digits.test)


@pytest.fixture(scope="session")
def noise(digits: RealData) -> Evaluation:
    """Generated is noise with labels."""
    pixels = np.random.default_rng(0).integers(0, 17, (200, 8, 8), np.uint8)
    made = Samples(pixels=pixels, label=np.arange(200) % 10)
    return Evaluation(RealImages(made), made, digits.test)
