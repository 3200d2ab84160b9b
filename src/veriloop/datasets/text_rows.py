"""From rows of files to samples of text: a value that is wrong is named by file, line and column."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..samples import Samples
from ..tables import Table
from .text_columns import NO_TALK, Roles


def samples_of(
    tables: Sequence[Table], roles: Roles, first_number: int = 0, *, tidy: bool = False
) -> Samples:
    """The rows of ``tables`` in order, as samples.

    Args:
        tables: With all columns that ``roles`` reads.
        roles: Which column is what.
        first_number: Of the first row, where rows are numbered.
        tidy: Whether runs of white space become one space, with none left at either end, and rows with an
            empty text are left out rather than refused.

    Raises:
        DataError: A text is empty or no text, an id neither a whole number nor a text, or there are no
            rows; the message has the file and the line.
    """
    read: dict[str, list[Any]] = {roles.numbered: _ids(tables, roles.id, first_number)}
    texts = {source: _texts(tables, source, tidy) for source in dict.fromkeys(roles.texts.values())}
    read |= {name: texts[source] for name, source in roles.texts.items()}
    read |= {name: _carried(tables, name) for name in roles.keep}
    if tidy:
        whole = [all(values) for values in zip(*texts.values(), strict=True)]
        read = {
            name: [v for v, keep in zip(values, whole, strict=True) if keep] for name, values in read.items()
        }
    if not read[roles.numbered]:
        raise DataError("no rows", got=", ".join(table.source for table in tables) or "no files")
    return Samples(**{name: _column(name, values) for name, values in read.items()})


def _texts(tables: Sequence[Table], name: str, tidy: bool) -> list[str]:
    texts = []
    for table in tables:
        for line, text in zip(table.lines, table.columns[name], strict=True):
            where = f"{table.source}, line {line}: column {name!r}"
            if not isinstance(text, str):
                raise DataError(where, got=_kind_of(text), expected="text", fix=_fix_for(text))
            _check_whole(where, text)
            if not tidy and not text.strip():
                raise DataError(f"{where} is empty", fix="fill it in, or drop the row")
            texts.append(" ".join(text.split()) if tidy else text)
    return texts


def _carried(tables: Sequence[Table], name: str) -> list[Any]:
    for table in tables:
        for line, value in zip(table.lines, table.columns[name], strict=True):
            where = f"{table.source}, line {line}: column {name!r}"
            if isinstance(value, str):
                _check_whole(where, value)
            elif isinstance(value, list | dict):
                fix = "store lists and objects as text, in JSON"
                raise DataError(where, got=_kind_of(value), expected="text or a number", fix=fix)
    return [value for table in tables for value in table.columns[name]]


def _kind_of(value: object) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict) and _is_turn(value[0]):
        return f"a list of {len(value)} chat messages"
    return type(value).__name__


def _is_turn(value: dict) -> bool:
    return {"role", "content"} <= value.keys() or {"from", "value"} <= value.keys()


def _fix_for(value: object) -> str | None:
    return NO_TALK if isinstance(value, list | dict) else None


def _check_whole(where: str, text: str) -> None:
    """Refuse halves of characters, which JSON may hold: no file and no tokenizer takes them."""
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise DataError(
            f"{where} holds half a character",
            got=ascii(text[e.start]),
            fix="it was cut within a pair such as an emoji's: cut the text elsewhere, or drop it",
        ) from None


def _ids(tables: Sequence[Table], name: str | None, first_number: int) -> list[Any]:
    if name is None:
        return list(range(first_number, first_number + sum(len(table.lines) for table in tables)))
    ids = []
    for table in tables:
        for line, value in zip(table.lines, table.columns[name], strict=True):
            if not isinstance(value, int | str) or isinstance(value, bool):
                raise DataError(
                    f"{table.source}, line {line}: column {name!r}",
                    got=_kind_of(value),
                    expected="a whole number or a text to tell the rows apart by",
                )
            ids.append(value)
    # One kind for all rows: numbers only if every id is one, and fits.
    fits = all(isinstance(i, int) and -(2**63) <= i < 2**63 for i in ids)
    return ids if fits else [str(i) for i in ids]


def _column(name: str, values: list[Any]) -> Any:
    if all(isinstance(v, str) for v in values):
        return values
    if all(isinstance(v, bool | int | float) for v in values):
        whole = np.array(values)
        if whole.dtype.kind == "b" or not all(isinstance(v, int) for v in values):
            return whole
        try:
            return np.array(values, np.int64)  # beyond, NumPy would take floats, and lose digits
        except OverflowError:
            big = next(v for v in values if not -(2**63) <= v < 2**63)
            raise DataError(
                f"column {name!r}", got=big, expected="whole numbers of 64 bits", fix="store them as text"
            ) from None
    kinds = sorted({type(v).__name__ for v in values})
    raise DataError(
        f"column {name!r}",
        got=f"values of type {', '.join(kinds)}",
        expected="all text, or all numbers",
        fix="store them as text",
    )
