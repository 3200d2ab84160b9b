"""From rows of files to samples of text: a value that is wrong is named by file, line and column."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..errors import DataError
from ..nested import Nested, to_text
from ..samples import Samples
from ..tables import Table
from ..turns import LEADING, Turn, look_like_turns, read_turns, said_by_assistant
from .text_columns import Roles


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
    read: dict[str, Any] = {roles.numbered: _ids(tables, roles.id, first_number)}
    if roles.talk == "text":
        texts = {source: _texts(tables, source, tidy) for source in dict.fromkeys(roles.texts.values())}
        read |= {name: texts[source] for name, source in roles.texts.items()}
    else:
        read |= _chats(tables, roles)
    read |= {name: _carried(tables, name, name in roles.nested) for name in roles.keep}
    if tidy:
        whole = [all(values) for values in zip(*(read[name] for name in roles.texts), strict=True)]
        read = {
            name: [v for v, keep in zip(values, whole, strict=True) if keep] for name, values in read.items()
        }
    if not read[roles.numbered]:
        raise DataError("no rows", got=", ".join(table.source for table in tables) or "no files")
    return Samples(**{name: _column(name, values) for name, values in read.items()})


def _rows(tables: Sequence[Table], name: str) -> Iterator[tuple[str, Any]]:
    """The values of a column, each with its place for errors."""
    for table in tables:
        for line, value in zip(table.lines, table.columns[name], strict=True):
            yield f"{table.source}, line {line}: column {name!r}", value


def _texts(tables: Sequence[Table], name: str, tidy: bool) -> list[str]:
    texts = []
    for where, text in _rows(tables, name):
        if not isinstance(text, str):
            raise DataError(where, got=_kind_of(text), expected="text", fix=_fix_for(text))
        _check_whole(where, text)
        if not tidy and not text.strip():
            raise DataError(f"{where} is empty", fix="fill it in, or drop the row")
        texts.append(" ".join(text.split()) if tidy else text)
    return texts


def _chats(tables: Sequence[Table], roles: Roles) -> dict[str, list[str]]:
    """The columns of chats: turns that are given, and texts."""
    read: dict[str, list[str]] = {roles.prompt: Nested()}
    if roles.talk == "whole":
        read[roles.written] = []
    for where, value in _rows(tables, roles.prompt):
        turns = read_turns(value, where)
        if roles.talk == "whole":
            read[roles.written].append(said_by_assistant(turns.pop(), where))
            _check_whole(where, read[roles.written][-1])
        _check_asks(turns, roles.talk, where)
        text = to_text(turns)
        _check_whole(where, text)
        read[roles.prompt].append(text)
    others = {name: source for name, source in roles.texts.items() if source != roles.prompt}
    read |= {name: [_said(value, where) for where, value in _rows(tables, s)] for name, s in others.items()}
    return {name: read[name] if name in read else read[roles.written] for name in roles.texts}


def _check_asks(turns: Sequence[Turn], talk: str, where: str) -> None:
    """Refuse turns that nobody could answer, and those that are answered where others are not."""
    if not turns or turns[-1]["role"] in LEADING:
        raise DataError(f"{where} asks for nothing", expected="a turn of the user", fix="drop the row")
    if turns[-1].get("tool_calls"):
        raise DataError(f"{where} ends with a call of a tool", expected="its reply", fix="drop the row")
    if talk == "asked" and turns[-1]["role"] == "assistant":
        raise DataError(
            f"{where} ends with a turn of the assistant, which the first row does not",
            fix="set columns.messages where all rows do; else drop the row, or that turn",
        )


def _said(value: object, where: str) -> str:
    """A completion beside a chat: a text, or one turn of the assistant."""
    if look_like_turns(value):
        turns = read_turns(value, where)
        if len(turns) > 1:
            raise DataError(where, got=f"{len(turns)} turns", expected="one, of the assistant")
        value = said_by_assistant(turns[0], where)
    if not isinstance(value, str):
        raise DataError(where, got=_kind_of(value), expected="text, or a list of one turn of the assistant")
    _check_whole(where, value)
    if not value.strip():
        raise DataError(f"{where} is empty", fix="fill it in, or drop the row")
    return value


def _carried(tables: Sequence[Table], name: str, nested: bool) -> list[Any]:
    if nested:
        texts = Nested()
        for where, value in _rows(tables, name):
            try:
                text = to_text(value)
            except DataError as e:
                raise DataError(f"{where}: {e.what}", got=e.got, expected=e.expected, fix=KEEP) from None
            _check_whole(where, text)
            texts.append(text)
        return texts
    values: list[Any] = []
    for where, value in _rows(tables, name):
        if isinstance(value, str):
            _check_whole(where, value)
        elif not isinstance(value, bool | int | float):
            expected = "text or a number, as in the first rows"
            raise DataError(where, got=_kind_of(value), expected=expected, fix=KEEP)
        values.append(value)
    return values


KEEP = "leave the column out of columns.keep, or have its first rows show that it holds other values"


def _kind_of(value: object) -> str:
    return (
        f"a list of {len(value)} turns"
        if look_like_turns(value) and isinstance(value, list)
        else type(value).__name__
    )


def _fix_for(value: object) -> str | None:
    if look_like_turns(value):
        return "have the first rows hold turns, too: they say what the column is"
    return "name another column" if isinstance(value, list | dict) else None


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
    if isinstance(values, Nested) or all(isinstance(v, str) for v in values):
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
