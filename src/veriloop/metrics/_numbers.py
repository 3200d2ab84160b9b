"""The numbers in an evaluation: columns of numbers and vectors side by side."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..errors import ConfigError, DataError
from ..samples import Samples
from ..schema import Schema
from .base import Evaluation, Metric

Floats = NDArray[np.float64]

MOST = 1_000
"""Number of rows of each side, from the first on, that are compared in pairs."""


class Sides(NamedTuple):
    """Generated and real rows, shapes (n, d) and (m, d)."""

    generated: Floats
    real: Floats


def numbers_of(schema: Schema, asked_by: str, columns: Sequence[str] | None) -> tuple[str, ...]:
    """Return the columns that a metric of numbers uses: the ones set, or all that models generate.

    Raises:
        ConfigError: There is no such column, or one has another role.
    """
    if columns is not None:
        for name in columns:
            schema.column(name, f"{asked_by}: columns", "number", "vector")
        return tuple(columns)
    found = tuple(name for name in schema.made if schema[name].role in ("number", "vector"))
    if not found:
        raise ConfigError(
            f"{asked_by} needs columns of role number or vector that models generate",
            got=schema.described(),
            expected="data with such a column",
        )
    return found


class OfNumbers(Metric, frozen=True):
    """A metric of columns of numbers and vectors.

    Attributes:
        columns: Names of number and vector columns; None for all that models generate.
    """

    columns: tuple[str, ...] | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        columns = numbers_of(schema, f"metric {self.kind!r}", self.columns)
        return super().suited_to(schema).model_copy(update={"columns": columns})


def sides(evaluation: Evaluation, columns: Sequence[str] | None) -> Sides:
    """Return the numbers of both sides, computed once for all metrics of an evaluation.

    Raises:
        DataError: A column is missing, or holds text or numbers that are not finite.
    """
    names = tuple(columns) if columns is not None else _numeric(evaluation.real)
    return evaluation.once(
        ("numbers", names),
        lambda: Sides(_matrix(evaluation.generated, names), _matrix(evaluation.real, names)),
    )


def scaled(both: Sides) -> Sides:
    """Divide both sides by the real columns' standard deviations, so that units do not matter."""
    spread = both.real.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return Sides(both.generated[:MOST] / spread, both.real[:MOST] / spread)


def _numeric(samples: Samples) -> tuple[str, ...]:
    return tuple(n for n in samples if isinstance(c := samples[n], np.ndarray) and c.dtype.kind == "f")


def _matrix(samples: Samples, names: Sequence[str]) -> Floats:
    n = len(samples)
    columns = [np.asarray(samples.array(name), np.float64).reshape(n, -1) for name in names]
    whole = np.concatenate(columns, axis=1) if columns else np.zeros((n, 0))
    if not np.isfinite(whole).all():
        raise DataError("numbers to measure", got="NaN or infinity", expected="finite numbers")
    return whole
