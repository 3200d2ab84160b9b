"""Read tables: JSON lines, JSON, CSV and Parquet, optionally compressed with gzip.

All user tables are read here, so the rules are the same everywhere. A byte order mark is skipped. In a CSV
file an empty field is missing, and nothing else is: ``NA`` is a text. Numbers are read exactly, however long.
Anything unclear is an error with its line number, never a guess.
"""

import csv
import io
import itertools
import json
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from .errors import ConfigError, DataError
from .unpack import open_gzip

LONGEST_LINE = 2**26
"""Longest line in characters. A longer one suggests a wrong file, or one made to fill memory."""

FIRST = 10
"""Number of rows that are read to find out what a file holds."""

JSON_TEXT = {b"content_type": b"application/json"}
"""Marks a Parquet column of JSON texts, for values that Arrow's types cannot hold unchanged."""

Row = tuple[int, dict[str, Any]]
"""A row, and the line of the file where it ends, counted from 1."""


class Table(NamedTuple):
    """Some columns of a file.

    Attributes:
        source: Name for error messages, such as the path.
        lines: Line of the file where each row ends, counted from 1.
        columns: Values by column name, one per line.
    """

    source: str
    lines: Sequence[int]
    columns: dict[str, list[Any]]


class First(NamedTuple):
    """The first rows of a file.

    Attributes:
        source: Name for error messages.
        names: Column names.
        rows: First rows, with all columns.
    """

    source: str
    names: Sequence[str]
    rows: Sequence[Row]

    def table(self, names: Sequence[str]) -> Table:
        """Return the columns ``names`` of these rows.

        Raises:
            DataError: A column is missing, or occurs twice.
        """
        if self.names:
            check_has(names, self.names, self.source)
        return _table(self.source, self.rows, names)


def first_rows(path: Path) -> First:
    """Read the first rows of a file: .jsonl, .json, .csv or .parquet by its name, optionally with .gz.

    Raises:
        ConfigError: The name has another ending.
        DataError: The file cannot be read, or a line is malformed.
    """
    if _kind(path) == ".parquet":
        with _readable(path):
            return _first_of_parquet(path)
    with _readable(path), _open(path) as file:
        header, rows = _ROWS[_kind(path)](file, path)
        first = list(islice(rows, FIRST))
        names = header or list(dict.fromkeys(name for _, row in first for name in row))
        return First(str(path), names, first)


def check_has(names: Sequence[str], known: Sequence[str], source: str, fix: str | None = None) -> None:
    """Check that a table with columns ``known`` has each of ``names`` exactly once.

    Raises:
        DataError: One is missing, or occurs twice.
    """
    found = Counter(known)
    if missing := [name for name in names if name not in found]:
        raise DataError(
            f"{source}: no column {', '.join(map(repr, missing))}",
            got=f"columns {', '.join(found) or '(none)'}",
            fix=fix,
        )
    if twice := [name for name in names if found[name] > 1]:
        raise DataError(f"{source} has several columns {twice[0]!r}", fix="rename all but one of them")


def read_values(path: Path, names: Sequence[str], texts: Sequence[str] = ()) -> Table:
    """Read the columns ``names`` of a file, all rows, as numbers, booleans or texts; None where missing.

    A column of a CSV file becomes numbers or booleans if every field is one. Rows of JSON lines may omit
    missing values.

    Args:
        path: Path, as for `read_table`.
        names: Required columns.
        texts: Columns of ``names`` that stay texts, whatever they look like.

    Raises:
        ConfigError: As for `read_table`.
        DataError: As for `read_table`, or there are no rows.
    """
    kind = _kind(path)
    if kind in (".jsonl", ".json"):
        lines: list[int] = []
        known: dict[str, None] = {}
        columns: dict[str, list[Any]] = {name: [] for name in names}
        with _readable(path), _open(path) as file:
            for line, row in _ROWS[kind](file, path)[1]:
                lines.append(line)
                known |= dict.fromkeys(row)
                for name, values in columns.items():
                    values.append(row.get(name))
        check_has(names, list(known) if lines else names, str(path))
        table = Table(str(path), lines, columns)
    else:
        table = read_table(path, names)
        if kind == ".csv":
            typed = {n: _texts(v) if n in texts else _typed(v) for n, v in table.columns.items()}
            table = table._replace(columns=typed)
    if not table.lines:
        raise DataError(f"{path} has no rows")
    return table


_WHOLE = re.compile(r"\s*[-+]?[0-9]{1,400}\s*", re.ASCII)
_NUMBER = re.compile(
    r"\s*[-+]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?|inf|infinity)\s*", re.ASCII | re.IGNORECASE
)
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


def _texts(fields: Sequence[str]) -> list[str | None]:
    return [field or None for field in fields]


def _typed(fields: Sequence[str]) -> list[Any]:
    """Convert a CSV column to values of one type, or leave it as texts."""
    there = [field for field in fields if field]
    if all(field in _TRUTH for field in there):
        return [_TRUTH[field] if field else None for field in fields]
    if all(_NUMBER.fullmatch(field) for field in there):
        return [_number(field) if field else None for field in fields]
    return _texts(fields)


def _number(field: str) -> int | float:
    return int(field) if _WHOLE.fullmatch(field) else float(field)


def read_table(path: Path, names: Sequence[str], fix: str | None = None) -> Table:
    """Read the columns ``names`` of a file, all rows, unconverted: fields of a CSV file are texts.

    Args:
        path: Path; its ending gives the format, as for :func:`first_rows`.
        names: Columns that each row must have.
        fix: What to do if a row lacks a column that others have.

    Raises:
        ConfigError: The file name has an ending not listed in :func:`first_rows`.
        DataError: The file cannot be read, a line is malformed, or a column is missing; the message gives the
            file and the line.
    """
    if _kind(path) == ".parquet":
        with _readable(path):
            return _parquet(path, names)
    with _readable(path), _open(path) as file:
        header, rows = _ROWS[_kind(path)](file, path)
        if header is not None:
            check_has(names, header, str(path))
        return _table(str(path), rows, names, fix)


def _table(
    source: str, rows: Sequence[Row] | Iterator[Row], names: Sequence[str], fix: str | None = None
) -> Table:
    lines: list[int] = []
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for line, row in rows:
        check_has(names, list(row), f"{source}, line {line}", fix)
        lines.append(line)
        for name, values in columns.items():
            values.append(row[name])
    return Table(source, lines, columns)


def _jsonl(file: IO[str], path: Path) -> tuple[None, Iterator[Row]]:
    return None, _json_rows(file, path)


def _json_rows(file: IO[str], path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(file, path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line, object_pairs_hook=_once)
        except (ValueError, RecursionError) as e:  # also numbers of thousands of digits
            raise _broken(path, number, e, line) from e
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}", got=_shown(line), expected="a JSON object")
        yield number, row


def _json(file: IO[str], path: Path) -> tuple[None, Iterator[Row]]:
    text = file.read()
    # Many JSON lines files have this ending.
    is_list = text.lstrip().startswith("[")
    return None, _json_list(text, path) if is_list else _json_rows(io.StringIO(text), path)


_SPACE = re.compile(r"[ \t\n\r]*")


def _json_list(text: str, path: Path) -> Iterator[Row]:
    """Yield the objects of a JSON list, each with the line where it ends."""
    decoder = json.JSONDecoder(object_pairs_hook=_once)
    at, line, counted = text.index("[") + 1, 1, 0
    for number in itertools.count():
        at = _space_end(text, at)
        line, counted = line + text.count("\n", counted, at), at
        if text[at : at + 1] == "]" and not number:
            at += 1
            break
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as e:
            line = e.lineno if isinstance(e, json.JSONDecodeError) else line
            raise _broken(path, line, e, text[counted : counted + 100]) from e
        line, counted = line + text.count("\n", counted, at), at
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {line}", got=_shown(json.dumps(row)), expected="a JSON object")
        yield line, row
        at = _space_end(text, at) + 1
        if text[at - 1 : at] not in (",", "]"):
            raise DataError(f"{path}, line {line}: broken JSON", expected="a comma or the end of the list")
        if text[at - 1] == "]":
            break
    if rest := text[at:].strip():
        raise DataError(f"{path}: there is text after the list", got=_shown(rest))


def _space_end(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # the pattern also matches an empty text
    return found.end()


def _broken(path: Path, line: int, error: Exception, text: str) -> DataError:
    why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
    return DataError(f"{path}, line {line}: broken JSON ({why})", got=_shown(text))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object, refusing repeated keys."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, n in Counter(name for name, _ in pairs).items() if n > 1)
        raise ValueError(f"key {twice!r} occurs twice")
    return found


def _lines(file: IO[str], path: Path) -> Iterator[str]:
    for number, line in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), ""), 1):
        if len(line) > LONGEST_LINE:
            raise DataError(
                f"{path}, line {number}",
                got="no end of line",
                expected=f"at most {LONGEST_LINE:,} characters",
            )
        yield line


def _csv(file: IO[str], path: Path) -> tuple[Sequence[str], Iterator[Row]]:
    # The library's field limit, 128 KiB, guards against a missing quote, but articles may be longer.
    csv.field_size_limit(sys.maxsize)
    reader = csv.DictReader(_lines(file, path), strict=True)
    with _sound_csv(reader, path):
        names = list(reader.fieldnames or ())
    if other := [mark for mark in (";", "\t") if len(names) == 1 and mark in names[0]]:
        raise DataError(
            f"{path}, line 1",
            got=names[0],
            expected="names of columns with commas between them",
            fix=f"write the file with commas in place of {other[0]!r}",
        )
    if reader.fieldnames is not None and not names:
        raise DataError(f"{path}, line 1", got="an empty line", expected="the names of the columns")
    if any("\0" in name for name in names):
        raise DataError(f"{path}, line 1", got="zero bytes", expected="text in UTF-8", fix="save it as UTF-8")
    return names, _csv_rows(reader, path)


def _csv_rows(reader: csv.DictReader, path: Path) -> Iterator[Row]:
    with _sound_csv(reader, path):
        for row in reader:
            if None in row:  # an unquoted comma shifts all later fields
                raise DataError(
                    f"{path}, line {reader.line_num}",
                    got=f"{len(row) - 1 + len(row[None])} fields",
                    expected=f"{len(row) - 1}, as in the header",
                    fix="quote fields that hold commas",
                )
            # A short row lacks its last columns, which the reader returns as None.
            yield reader.line_num, {k: v for k, v in row.items() if v is not None}


@contextmanager
def _sound_csv(reader: csv.DictReader, path: Path) -> Iterator[None]:
    try:
        yield
    except csv.Error as e:
        raise DataError(f"{path}, line {reader.reader.line_num}: broken CSV ({e})") from e


_ROWS: Mapping[str, Callable[[IO[str], Path], tuple[Sequence[str] | None, Iterator[Row]]]] = {
    ".jsonl": _jsonl,
    ".json": _json,
    ".csv": _csv,
}
"""By file ending: the header, if there is one, and the rows."""


def _first_of_parquet(path: Path) -> First:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        batch = next(file.iter_batches(batch_size=FIRST), None)
        names = file.schema_arrow.names
        read: dict[str, list[Any]] = {} if batch is None else {n: _values(path, n, batch[n]) for n in names}
        rows = [dict(zip(read, row, strict=True)) for row in zip(*read.values(), strict=True)]
        nested = _json_texts(file.schema_arrow)
        for row in rows:
            row |= {name: _loaded(row[name]) for name in nested}
        return First(str(path), names, list(enumerate(rows, 1)))
    except pa.ArrowInvalid as e:
        raise _no_parquet(path, e) from e


def _parquet(path: Path, names: Sequence[str]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        check_has(names, file.schema_arrow.names, str(path))
        read = file.read(columns=list(names))
    except pa.ArrowInvalid as e:
        raise _no_parquet(path, e) from e
    columns = {name: _values(path, name, read[name]) for name in names}
    for name in _json_texts(read.schema):
        columns[name] = list(map(_loaded, columns[name]))
    return Table(str(path), range(1, len(read) + 1), columns)


def _values(path: Path, name: str, column: Any) -> list[Any]:
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        raise
    except (ValueError, OverflowError) as e:  # a date outside of Python's range, or an unknown time zone
        raise DataError(
            f"{path}: column {name!r} cannot be read ({e})", fix="store it as texts or numbers"
        ) from e


def _json_texts(schema: Any) -> list[str]:
    return [field.name for field in schema if JSON_TEXT.items() <= (field.metadata or {}).items()]


def _loaded(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as e:
        raise DataError("a column marked as JSON holds something else", got=_shown(text or "")) from e


def _no_parquet(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} is not a Parquet file ({error})", fix="check the file and its name")


def _kind(path: Path) -> str:
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    known = (*_ROWS, ".parquet")
    if kind not in known:
        raise ConfigError(
            f"table {path}", got=kind or "no ending", expected=f"{', '.join(known)}, or one with .gz"
        )
    return kind


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        if "\0" in str(path) or (path.exists() and not path.is_file()):
            # Opening a pipe can block forever, and it cannot be read twice.
            what = "a folder" if path.is_dir() else "something else"
            raise DataError(f"cannot read {path}", got=what, expected="a regular file")
        yield
    except UnicodeDecodeError as e:
        got = f"byte 0x{e.object[e.start]:02x}"
        raise DataError(
            f"cannot read {path}", got=got, expected="text in UTF-8", fix="save it as UTF-8"
        ) from e
    except (OSError, EOFError, zlib.error) as e:
        raise DataError(f"cannot read {path} ({e})", fix="check that the file exists and is complete") from e


def _open(path: Path) -> IO[str]:
    # Spreadsheets start UTF-8 files with a mark that is not part of the first column's name.
    if path.suffix == ".gz":
        return io.TextIOWrapper(open_gzip(path), encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _shown(line: str) -> str:
    line = line.strip()
    return line if len(line) <= 60 else f"{line[:57]}..."
