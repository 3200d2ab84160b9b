"""Infer the type of each column of a table of numbers and categories from its values.

Numbers are numbers, integers as int64 and others as float64. Texts, booleans, and integers with only two
different values, such as 0 and 1, are categories. Nothing is filled in or dropped: a missing value is refused
with its row, and so is a column of any other type.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DataError
from ..samples import Column
from ..schema import Category, Image, Label, Number, Vector

MOST_VALUES = 200
"""Largest number of different texts in a category column."""

LABEL = "label"
"""Name of an integer column that is used as the classes by default."""

_EXACT = 2**53
"""Limit above which float64 does not hold every integer."""


class Table(NamedTuple):
    """The columns of a file as read.

    Attributes:
        source: Name of the file for error messages.
        columns: Columns by name: lists of plain values, or arrays.
        line: Name of each row for error messages, such as ``line 7``.
    """

    source: str
    columns: Mapping[str, Sequence[Any] | NDArray[Any]]
    line: Sequence[str]


class Wishes(NamedTuple):
    """The user's settings for the columns.

    Attributes:
        columns: Columns to use; None for all.
        label: Class column; None for a suitable column called ``label``.
        given: Columns that generators receive, besides the classes.
        categories: Integer columns that are categories.
    """

    columns: tuple[str, ...] | None = None
    label: str | None = None
    given: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()


class Found(NamedTuple):
    """The columns of samples, with their types.

    Attributes:
        values: Columns by name, as in samples.
        types: Type of each column, for the schema.
        label: Class column; None if there is none.
    """

    values: dict[str, Column]
    types: dict[str, Any]
    label: str | None


def settle(table: Table, wishes: Wishes) -> Found:
    """Infer the types of the columns of ``table``.

    Raises:
        ConfigError: A setting does not fit the columns.
        DataError: A value is missing or invalid; the message names its row.
    """
    names = _used(table, wishes)
    for name in names:
        _check_whole(table.source, name)
    values: dict[str, Column] = {}
    types: dict[str, Any] = {}
    for name in names:
        values[name], types[name] = _column(table, name, wishes)
    label = _label(table, values, types, wishes)
    if label is not None:
        classes = int(np.max(np.asarray(values[label]), initial=0)) + 1
        types[label] = Label(classes=classes)
    for name in wishes.given:
        if name != label:
            types[name] = types[name].model_copy(update={"given": True})
    if all(column.given for column in types.values()):
        raise ConfigError(
            f"{table.source}: given lists all columns",
            got=", ".join(types),
            expected="at least one column to generate",
        )
    return Found(values, types, label)


def _used(table: Table, wishes: Wishes) -> list[str]:
    known = list(table.columns)
    asked = {"columns": wishes.columns or (), "given": wishes.given, "categories": wishes.categories}
    asked["label"] = (wishes.label,) if wishes.label else ()
    for setting, names in asked.items():
        used = known if setting == "columns" or wishes.columns is None else list(wishes.columns)
        if missing := [name for name in names if name not in used]:
            raise ConfigError(
                f"{table.source}: {setting}",
                got=", ".join(missing),
                expected=f"among the columns {', '.join(used)}",
            )
    return known if wishes.columns is None else list(wishes.columns)


def _column(table: Table, name: str, wishes: Wishes) -> tuple[Column, Any]:
    values = table.columns[name]
    array = values if isinstance(values, np.ndarray) else _listed(table, name, values)
    where = f"{table.source}: column {name!r}"
    if array.dtype == np.uint8 and array.ndim in (3, 4) and array.size:
        size = array.shape[1:]
        channels = size[2] if array.ndim == 4 else 1
        levels = max(1, int(array.max()))
        return array, Image(height=size[0], width=size[1], channels=channels, levels=levels)
    if array.ndim > 2 or array.ndim == 0 or array.dtype.kind not in "biufU":
        raise DataError(
            where,
            got=f"{array.dtype} of shape {array.shape}",
            expected="numbers or texts for each row, or images of uint8",
            fix="convert it, or leave it out with columns",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise _missing(table, name, row, str(array[row]))
    if array.ndim == 2:
        if not array.shape[1] or array.dtype.kind not in "biuf":
            raise DataError(where, got=f"{array.dtype} of shape {array.shape}", expected="rows of numbers")
        return array.astype(np.float64), Vector(p=array.shape[1])
    if array.dtype.kind in "bU":
        return _category(where, _words(array), len(array))
    if name in wishes.categories or _two_valued(name, array):
        return _category(where, _whole(where, array), len(array))
    return _number(where, array)


def _listed(table: Table, name: str, values: Sequence[Any]) -> NDArray[Any]:
    """Convert a list of plain values to an array of one type."""
    for row, value in enumerate(values):
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            raise _missing(table, name, row, "nothing" if value is None else str(value))
    kinds = {type(value) for value in values}
    for wanted, dtype in ((bool, np.bool_), (str, np.str_)):
        if kinds == {wanted}:
            return np.array(values, dtype)
    if kinds == {int} and max(map(abs, values)) < 2**63:
        return np.array(values, np.int64)
    if kinds and kinds <= {int, float}:
        if large := [v for v in values if isinstance(v, int) and abs(v) > _EXACT]:
            raise _too_large(f"{table.source}: column {name!r}", large[0])
        return np.array(values, np.float64)
    first = next(i for i, v in enumerate(values) if type(v) is not type(values[0]) or type(v) not in _PLAIN)
    raise DataError(
        f"{table.source}, {table.line[first]}: column {name!r}",
        got=f"{str(values[first])[:60]!r}, of type {type(values[first]).__name__}",
        expected="only numbers, only texts, or only booleans",
        fix="correct the column, or leave it out with columns",
    )


_PLAIN = (bool, int, float, str)


def _missing(table: Table, name: str, row: int, got: str) -> DataError:
    return DataError(
        f"{table.source}, {table.line[row]}: no value in column {name!r}",
        got=got,
        expected="a value in every row",
        fix="fill it in, remove the row, or leave the column out with columns",
    )


def _number(where: str, array: NDArray[Any]) -> tuple[Column, Number]:
    if array.dtype.kind == "f":
        return array.astype(np.float64), Number()
    large = np.flatnonzero(np.abs(array.astype(np.float64)) > _EXACT)
    if len(large):
        raise _too_large(where, int(array[large[0]]))
    return array.astype(np.int64), Number()


def _too_large(where: str, number: int) -> DataError:
    shown = str(number) if abs(number) < 10**30 else "a whole number of more than 30 digits"
    return DataError(
        where,
        got=shown,
        expected=f"whole numbers up to {_EXACT}, beyond which float64 is not exact",
        fix="leave it out with columns: such large numbers are usually ids",
    )


def _two_valued(name: str, array: NDArray[Any]) -> bool:
    return name != LABEL and array.dtype.kind in "iu" and len(np.unique(array)) == 2 < len(array)


def _whole(where: str, array: NDArray[Any]) -> list[int]:
    if array.dtype.kind == "f" and (array != np.rint(array)).any():
        raise ConfigError(f"{where} is listed in categories", got="fractions", expected="whole numbers")
    return [int(value) for value in array.tolist()]


def _words(array: NDArray[Any]) -> list[str]:
    # Booleans as words, as in JSON, because samples hold numbers or text.
    return [str(v).lower() if isinstance(v, bool) else v for v in array.tolist()]


def _category(where: str, values: Collection[str] | Collection[int], n: int) -> tuple[Column, Category]:
    different = sorted(set(values))
    for value in different:
        _check_whole(where, value)
    if len(different) > MOST_VALUES or (len(different) == n > 20):
        raise DataError(
            f"{where} is not a category",
            got=f"{len(different)} different values in {n} rows",
            expected=f"at most {MOST_VALUES}, each in several rows",
            fix="leave it out with columns: it identifies rows, or holds free text",
        )
    listed = list(values)
    column: Column = [str(v) for v in listed] if isinstance(listed[0], str) else np.array(listed, np.int64)
    return column, Category(values=tuple(different))


def _check_whole(where: str, text: str | int) -> None:
    """Refuse unpaired surrogates: JSON can contain them, but no file can store them."""
    try:
        str(text).encode()
    except UnicodeEncodeError:
        raise DataError(f"{where} contains an unpaired surrogate", got=ascii(text), fix="remove it") from None


def _label(
    table: Table, values: Mapping[str, Column], types: Mapping[str, Any], wishes: Wishes
) -> str | None:
    """Return the class column: the one that is set, or a suitable one with the default name."""
    name = wishes.label or (LABEL if LABEL in values and LABEL not in wishes.categories else None)
    if name is None:
        return None
    column = values[name]
    fits = isinstance(column, np.ndarray) and column.dtype == np.int64 and column.ndim == 1
    if fits and np.asarray(column).min(initial=0) >= 0 and np.max(np.asarray(column)) < MOST_VALUES:
        return name
    if wishes.label is None:
        return None
    raise ConfigError(
        f"{table.source}: label {name!r}",
        got=f"a column of role {types[name].role}",
        expected=f"whole numbers from 0 to at most {MOST_VALUES - 1}",
        fix="list a text column in given instead, to generate rows for each of its values",
    )
