"""A learner that needs no library: it says what it knows."""

from pathlib import Path

import numpy as np

from veriloop.generator import Generator
from veriloop.learners.base import Learner
from veriloop.samples import Samples

TEXTS = [
    "<think>two and two</think> <answer>4</answer>",
    "The answer is $\\boxed{4}$",
    "It is 7, it is 7, it is 7",
    '{"answer": 4}',
    "```python\ndef f(x):\n    return 2 * x\n```",
    "",
    "I do not know",
    "4",
]


class Parrot(Generator):
    """Says what it knows, one text after the other."""

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        return condition.with_columns(completion=[TEXTS[i] for i in rng.integers(len(TEXTS), size=n)])

    def save(self, directory: Path) -> None:
        (directory / "parrot.json").write_text("{}\n")

    @classmethod
    def load(cls, directory: Path) -> "Parrot":
        return cls()


class Parrots(Learner, frozen=True):
    """Learns nothing."""

    generator_type = Parrot

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Parrot:
        return Parrot()
