"""Counts: each combination of categories is as frequent as in the training rows."""

from pathlib import Path
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..errors import CorruptFileError, DataError
from ..generator import Generator
from ..samples import Samples
from ..schema import Schema
from ._numbers import Floats, enough, made_of
from .base import Learner

MODEL, SHARE = "discrete.npz", "_share"


class CategoricalGenerator(Generator):
    """Rows of a table, each with a probability.

    Args:
        table: Distinct rows.
        share: Probability of each row, shape (k,).
    """

    def __init__(self, table: Samples, share: Floats) -> None:
        self.table: Samples = table
        self.share: Floats = share

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return self.table.select(rng.choice(len(self.table), n, p=self.share))

    def log_density(self, samples: Samples) -> Floats:
        """Return the log probability of each of n samples, in nats, shape (n,); -inf if unseen."""
        known = {
            row: np.log(p) if p else -np.inf for row, p in zip(_rows(self.table), self.share, strict=True)
        }
        return np.array([known.get(row, -np.inf) for row in _rows(samples.only(list(self.table)))])

    @override
    def save(self, directory: Path) -> None:
        self.table.with_columns(**{SHARE: self.share}).save(directory / MODEL)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        whole = Samples.load(directory / MODEL)
        if SHARE not in whole:
            raise CorruptFileError(f"model {directory / MODEL}", got=", ".join(whole), expected=SHARE)
        names = [name for name in whole if name != SHARE]
        return cls(whole.only(names), whole.array(SHARE))


class Discrete(Learner, frozen=True):
    """The joint distribution of all category and label columns, by counting.

    Attributes:
        temperature: Sampling bias: probabilities are raised to 1 / temperature. 1 samples the model itself, 0
            only its most frequent row.
    """

    generator_type: ClassVar[type[Generator]] = CategoricalGenerator

    temperature: Annotated[float, Field(ge=0)] = 1.0

    @override
    def suited_to(self, schema: Schema) -> Self:
        made_of(schema, "learner 'discrete'", ("category", "label"))
        return super().suited_to(schema)

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> CategoricalGenerator:
        enough(len(samples), 1, "learner 'discrete'")
        for name in samples:
            if np.ndim(samples[name]) != 1:
                raise DataError(
                    f"learner 'discrete': column {name!r}",
                    got="a vector",
                    expected="one category per row",
                )
        first, count = _different(samples)
        return CategoricalGenerator(samples.select(first), tempered(count / count.sum(), self.temperature))


def tempered(share: Floats, temperature: float) -> Floats:
    """Raise probabilities to 1 / temperature, over the last axis; 0 puts everything on the largest."""
    if temperature == 0:
        best = (share == share.max(axis=-1, keepdims=True)).astype(float)
        return best / best.sum(axis=-1, keepdims=True)
    if temperature == 1:
        return share
    powers = (share / share.max(axis=-1, keepdims=True)) ** (1 / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def _different(samples: Samples) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the first index of each distinct row of ``samples``, in order of value, and its count."""
    codes = np.zeros(len(samples), np.int64)
    for name in samples:
        _, column = np.unique(np.asarray(samples[name]), return_inverse=True)
        _, codes = np.unique(codes * (column.max(initial=0) + 1) + column, return_inverse=True)
    _, first, count = np.unique(codes, return_index=True, return_counts=True)
    return first, count


def _rows(samples: Samples) -> list[tuple[object, ...]]:
    columns = [c.tolist() if isinstance(c, np.ndarray) else c for c in (samples[name] for name in samples)]
    return list(zip(*columns, strict=True))
