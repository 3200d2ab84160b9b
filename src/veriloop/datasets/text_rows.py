"""Convert rows of files to text samples; an invalid value is reported with file, line and column."""

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
    """Return the rows of ``tables`` in order, as samples.

    Args:
        tables: Tables with all columns that ``roles`` reads.
        roles: Role of each column.
        first_number: Number of the first row, if rows are numbered.
        tidy: Whether runs of white space become one space and are stripped at both ends, and rows with an
            empty text are left out instead of refused.

    Raises:
        DataError: A text is empty or not text, an id is neither an integer nor a text, or there are no rows;
            the message gives the file and the line.
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
    """Yield the values of a column, each with its place for error messages."""
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
    """Return the chat columns: given turns, and texts."""
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
    """Refuse turns that cannot be answered, and answered ones where others are not answered."""
    if not turns or turns[-1]["role"] in LEADING:
        raise DataError(f"{where} has no question", expected="a user turn", fix="drop the row")
    if turns[-1].get("tool_calls"):
        raise DataError(f"{where} ends with a tool call", expected="its reply", fix="drop the row")
    if talk == "asked" and turns[-1]["role"] == "assistant":
        raise DataError(
            f"{where} ends with an assistant turn, unlike the first row",
            fix="set columns.messages if all rows do; else drop the row, or that turn",
        )


def _said(value: object, where: str) -> str:
    """Return a completion next to a chat: a text, or one assistant turn."""
    if look_like_turns(value):
        turns = read_turns(value, where)
        if len(turns) > 1:
            raise DataError(where, got=f"{len(turns)} turns", expected="one assistant turn")
        value = said_by_assistant(turns[0], where)
    if not isinstance(value, str):
        raise DataError(where, got=_kind_of(value), expected="text, or a list with one assistant turn")
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


KEEP = "leave the column out of columns.keep, or put such values in its first rows"


def _kind_of(value: object) -> str:
    return (
        f"a list of {len(value)} turns"
        if look_like_turns(value) and isinstance(value, list)
        else type(value).__name__
    )


def _fix_for(value: object) -> str | None:
    if look_like_turns(value):
        return "put turns in the first rows, too: they decide the column's type"
    return "use another column" if isinstance(value, list | dict) else None


def _check_whole(where: str, text: str) -> None:
    """Refuse lone surrogates, which JSON may contain but no file or tokenizer accepts."""
    try:
        text.encode()
    except UnicodeEncodeError as e:
        raise DataError(
            f"{where} contains an unpaired surrogate",
            got=ascii(text[e.start]),
            fix="it was cut inside a character such as an emoji: cut the text elsewhere, or drop it",
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
                    expected="a whole number or a text that identifies the row",
                )
            ids.append(value)
    # One type for all rows: numbers only if every id is one, and fits.
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
            return np.array(values, np.int64)  # beyond this, NumPy would use floats and lose digits
        except OverflowError:
            big = next(v for v in values if not -(2**63) <= v < 2**63)
            raise DataError(
                f"column {name!r}", got=big, expected="whole numbers of 64 bits", fix="store them as text"
            ) from None
    kinds = sorted({type(v).__name__ for v in values})
    raise DataError(
        f"column {name!r}",
        got=f"values of type {', '.join(kinds)}",
        expected="only texts, or only numbers",
        fix="store them as text",
    )
