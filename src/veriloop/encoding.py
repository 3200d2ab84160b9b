"""Encode rows of numbers, vectors and categories as vectors: standardised numbers and one-hot categories.

Metrics, discriminators and audits share this, so that they all see tables alike.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError, DataError
from .parts import Checked
from .samples import Samples
from .schema import Schema

TABLE_ROLES = ("number", "vector", "category")


class TableColumns(Checked, frozen=True):
    """The columns of a table, by kind.

    Attributes:
        numbers: Names of columns with numbers or vectors.
        categories: Names of columns with categories.
        given: Names of the columns, including classes, that generators are given.
        label: Name of the class column; None if there is none.
    """

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    label: str | None = None

    @classmethod
    def of(cls, schema: Schema, asked_by: str) -> Self:
        """Return the columns of ``schema``.

        Raises:
            ConfigError: No generated column is a number, vector or category.
        """
        by_role = {role: tuple(schema.named(role)) for role in (*TABLE_ROLES, "label")}  # pyright: ignore[reportArgumentType]
        if not any(name in schema.made for role in TABLE_ROLES for name in by_role[role]):
            raise ConfigError(
                f"{asked_by} needs a generated column of images, numbers, vectors or categories",
                got=schema.described(),
                expected="data with such a column",
            )
        return cls(
            numbers=by_role["number"] + by_role["vector"],
            categories=by_role["category"],
            given=tuple(n for n in schema.given if schema[n].role in (*TABLE_ROLES, "label")),
            label=by_role["label"][0] if len(by_role["label"]) == 1 else None,
        )

    def stratum(self, samples: Samples) -> NDArray[np.int64]:
        """Return the class of each of n rows, shape (n,); all the same if there are no classes."""
        if self.label is None:
            return np.zeros(len(samples), np.int64)
        return samples.array(self.label).astype(np.int64)


class Encoding(NamedTuple):
    """An encoding of rows as vectors, learned from some rows.

    A number is centred and divided by its standard deviation; a constant one is only centred. A category
    becomes one entry per known value: 1/sqrt(2) at its value and zero elsewhere, so two rows that differ in
    it are 1 apart. An unknown value becomes all zeros.

    Attributes:
        numbers: Names of columns with numbers or vectors.
        mean: Mean of each number; entries of a vector follow each other.
        spread: Standard deviation of each number.
        categories: Category columns with their values.
    """

    numbers: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    categories: tuple[tuple[str, tuple[str | int, ...]], ...]

    @classmethod
    def learned(cls, samples: Samples, numbers: Sequence[str], categories: Sequence[str]) -> Self:
        """Learn the encoding from ``samples``, which must have at least one row.

        Raises:
            DataError: A column is missing, or holds text where numbers should be.
        """
        rows = _matrix(samples, numbers)
        spread = rows.std(0)
        values = tuple((name, tuple(sorted(set(_values(samples, name))))) for name in categories)
        return cls(
            tuple(numbers),
            tuple(rows.mean(0).tolist()),
            tuple(np.where(spread > 0, spread, 1.0).tolist()),
            values,
        )

    @property
    def names(self) -> list[str]:
        """Name of each vector entry, such as ``age`` or ``city=north``."""
        return _names(self.numbers, len(self.mean)) + [
            f"{name}={value}" for name, values in self.categories for value in values
        ]

    def encode(self, samples: Samples) -> NDArray[np.float64]:
        """Return the vectors of n rows, shape (n, entries).

        Raises:
            DataError: A column is missing, or its kind or size differs from the rows it was learned from.
        """
        rows = _matrix(samples, self.numbers)
        if rows.shape[1] != len(self.mean):
            raise DataError("rows of another size", got=f"{rows.shape[1]} numbers", expected=len(self.mean))
        columns = [(rows - np.array(self.mean)) / np.array(self.spread)]
        for name, values in self.categories:
            place = {value: i for i, value in enumerate(values)}
            at = np.array([place.get(v, len(values)) for v in _values(samples, name)], np.int64)
            columns.append((np.eye(len(values) + 1)[at] / np.sqrt(2))[:, : len(values)])
        return np.concatenate(columns, axis=1)

    def dump(self) -> list[Any]:
        """Return the encoding as plain JSON values."""
        return [
            list(self.numbers),
            list(self.mean),
            list(self.spread),
            [[n, list(v)] for n, v in self.categories],
        ]

    @classmethod
    def of_dump(cls, content: list[Any]) -> Self:
        """Rebuild the encoding from the output of `dump`."""
        numbers, mean, spread, categories = content
        return cls(
            tuple(numbers), tuple(mean), tuple(spread), tuple((name, tuple(v)) for name, v in categories)
        )


def _names(numbers: Sequence[str], entries: int) -> list[str]:
    if len(numbers) == entries:
        return list(numbers)
    return [f"{'+'.join(numbers)}[{j}]" for j in range(entries)]


def _matrix(samples: Samples, names: Sequence[str]) -> NDArray[np.float64]:
    n = len(samples)
    columns = [samples.array(name).astype(np.float64) for name in names]
    flat = [c.reshape(n, int(np.prod(c.shape[1:]))) for c in columns]
    return np.concatenate(flat, axis=1) if flat else np.zeros((n, 0))


def _values(samples: Samples, name: str) -> list[Any]:
    column = samples[name]
    return column.tolist() if isinstance(column, np.ndarray) else column
