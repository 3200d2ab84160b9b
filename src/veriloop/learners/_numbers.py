"""Convert columns of numbers and vectors to one matrix and back, for learners of tables."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_safetensors

from ..errors import ConfigError, CorruptFileError, DataError
from ..samples import Samples
from ..schema import Role, Schema

Floats = NDArray[np.float64]

NUMERIC: tuple[Role, ...] = ("number", "vector")
"""Roles of the columns that such a matrix can hold."""


class Layout(NamedTuple):
    """The columns in a matrix, side by side.

    Attributes:
        names: Names of the columns.
        types: The dtype of each column.
        shapes: Shape of one value of each column; empty for a number.
    """

    names: tuple[str, ...]
    types: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, samples: Samples, names: Sequence[str]) -> Self:
        """Return the layout of the columns ``names`` of ``samples``.

        Raises:
            DataError: One of the columns holds text.
        """
        columns = [samples.array(name) for name in names]
        return cls(tuple(names), tuple(c.dtype.str for c in columns), tuple(c.shape[1:] for c in columns))

    @property
    def width(self) -> int:
        """Number of values in a row."""
        return sum(int(np.prod(shape)) for shape in self.shapes)

    def matrix(self, samples: Samples) -> Floats:
        """Return the rows of ``samples``, shape (n, width).

        Raises:
            DataError: A column is missing.
        """
        n = len(samples)
        if missing := [name for name in self.names if name not in samples]:
            raise DataError("samples of other columns", got=", ".join(samples), expected=", ".join(missing))
        columns = [
            np.asarray(samples.array(name), np.float64).reshape(n, int(np.prod(shape)))
            for name, shape in zip(self.names, self.shapes, strict=True)
        ]
        return np.concatenate(columns, axis=1) if columns else np.zeros((n, 0))

    def columns(self, matrix: Floats) -> dict[str, NDArray[Any]]:
        """Split a matrix of shape (n, width) into columns of their own types; integers are rounded."""
        made, at = dict[str, NDArray[Any]](), 0
        for name, kind, shape in zip(self.names, self.types, self.shapes, strict=True):
            size = int(np.prod(shape))
            values = matrix[:, at : at + size].reshape(len(matrix), *shape)
            made[name] = (np.rint(values) if np.dtype(kind).kind in "iub" else values).astype(kind)
            at += size
        return made


def made_of(schema: Schema, asked_by: str, roles: Sequence[Role]) -> list[str]:
    """Return the columns to generate, each with one of ``roles``, for an unconditional model.

    Raises:
        ConfigError: A column has another role, there is none, or a column is given.
    """
    wrong = [name for name in schema.made if schema[name].role not in roles]
    if wrong or not schema.made:
        raise ConfigError(
            f"{asked_by} generates columns of role {' or '.join(roles)}",
            got=schema.described(),
            expected="data without other columns to generate",
        )
    if schema.given:
        raise ConfigError(
            f"{asked_by} generates rows without a condition",
            got=f"given columns {', '.join(schema.given)}",
            expected="data without columns that are given to the model",
        )
    return schema.made


def training_rows(
    samples: Samples, names: Sequence[str], asked_by: str, least: int = 1
) -> tuple[Layout, Floats]:
    """Return the columns ``names`` of a training set as a matrix, with its layout.

    Raises:
        DataError: There are fewer than ``least`` rows, a column holds text, or a number is not finite.
    """
    layout = Layout.of(samples, names)
    rows = finite(layout.matrix(samples), asked_by)
    enough(len(rows), least, asked_by)
    return layout, rows


def enough(n: int, least: int, what: str) -> None:
    """Refuse a training set that is too small.

    Raises:
        DataError: It is too small.
    """
    if n < least:
        raise DataError(f"{what}: too few samples to fit", got=n, expected=f"at least {least}")


def finite(matrix: Floats, what: str) -> Floats:
    """Return ``matrix`` if all its numbers are finite.

    Raises:
        DataError: Some are not.
    """
    if not np.isfinite(matrix).all():
        raise DataError(f"{what}: numbers to train on", got="NaN or infinity", expected="finite numbers")
    return matrix


def save_model(path: Path, arrays: dict[str, NDArray[Any]], layout: Layout, **settings: object) -> None:
    """Write a model's arrays, columns and settings; equal models give equal bytes."""
    # One metadata entry, because the library writes several in any order.
    about = {"about": json.dumps([layout, settings])}
    path.write_bytes(to_safetensors({k: np.ascontiguousarray(v) for k, v in arrays.items()}, about))


def load_model(path: Path) -> tuple[dict[str, NDArray[Any]], Layout, dict[str, object]]:
    """Read what `save_model` wrote.

    Raises:
        CorruptFileError: The file is missing, truncated or changed.
    """
    try:
        with safe_open(path, "np") as file:
            (names, types, shapes), settings = json.loads(file.metadata()["about"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        layout = Layout(tuple(names), tuple(types), tuple(map(tuple, shapes)))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as e:
        raise CorruptFileError(f"model {path} cannot be read ({e})") from e
    return arrays, layout, settings
