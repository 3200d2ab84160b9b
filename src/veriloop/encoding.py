"""Rows of numbers, vectors and categories as vectors: numbers in standard deviations, categories as one-hot.

For whatever needs distances or a network's input: metrics, discriminators and audits see tables alike.
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
    """Which columns of a table are what.

    Attributes:
        numbers: Columns of numbers and vectors.
        categories: Columns of categories.
        given: Those of all columns, classes included, that generators are given.
        label: The column of classes; None where there is none.
    """

    numbers: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    label: str | None = None

    @classmethod
    def of(cls, schema: Schema, asked_by: str) -> Self:
        """The columns of ``schema``.

        Raises:
            ConfigError: None of the columns that are made is a number, vector or category.
        """
        by_role = {role: tuple(schema.named(role)) for role in (*TABLE_ROLES, "label")}  # pyright: ignore[reportArgumentType]
        if not any(name in schema.made for role in TABLE_ROLES for name in by_role[role]):
            raise ConfigError(
                f"{asked_by} needs a column of images, numbers, vectors or categories that is made",
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
        """The class of each of n rows, shape (n,); all of one where there are no classes."""
        if self.label is None:
            return np.zeros(len(samples), np.int64)
        return samples.array(self.label).astype(np.int64)


class Encoding(NamedTuple):
    """How rows become vectors, as it was learned from some of them.

    A number is centred and divided by its standard deviation; one that never varies is only centred. A
    category becomes as many zeros as it has values, with 1/sqrt(2) in the place of its own: two rows that
    differ in it are a distance of 1 apart. A value that was not there has zeros alone.

    Attributes:
        numbers: Columns of numbers and vectors.
        mean: Of each number, those of a vector one after the other.
        spread: Its standard deviation.
        categories: Columns of categories, with their values.
    """

    numbers: tuple[str, ...]
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    categories: tuple[tuple[str, tuple[str | int, ...]], ...]

    @classmethod
    def learned(cls, samples: Samples, numbers: Sequence[str], categories: Sequence[str]) -> Self:
        """The encoding of rows like ``samples``; at least one.

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
        """The name of each entry of a vector, such as ``age`` and ``city=north``."""
        return _names(self.numbers, len(self.mean)) + [
            f"{name}={value}" for name, values in self.categories for value in values
        ]

    def encode(self, samples: Samples) -> NDArray[np.float64]:
        """The vectors of n rows, shape (n, entries).

        Raises:
            DataError: A column is missing, or of another kind or size than those that were learned from.
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
        """As plain JSON values."""
        return [
            list(self.numbers),
            list(self.mean),
            list(self.spread),
            [[n, list(v)] for n, v in self.categories],
        ]

    @classmethod
    def of_dump(cls, content: list[Any]) -> Self:
        """The encoding of which `dump` made ``content``."""
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
