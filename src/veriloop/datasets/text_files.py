"""Rows of text from files of your own: JSON lines, CSV and Parquet, packed by gzip or not."""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

from ..errors import ConfigError, DataError


class Table(NamedTuple):
    """Some columns of a file.

    Attributes:
        source: What errors call it, such as its path.
        lines: The line of the file in which each row ends, counted from 1.
        columns: By name; as many values each as there are lines.
    """

    source: str
    lines: Sequence[int]
    columns: dict[str, list[Any]]


def read_table(path: Path, names: Sequence[str]) -> Table:
    """The columns ``names`` of a file; its name says which kind: .jsonl, .csv or .parquet, maybe with .gz.

    Raises:
        ConfigError: The name ends in something else.
        DataError: The file cannot be read, a line is broken, or a column is missing; the message has the
            file and the line.
    """
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    read = _READERS.get(kind)
    if read is None:
        raise ConfigError(
            f"text file {path}", got=kind or "no ending", expected=f"{', '.join(_READERS)}, or one with .gz"
        )
    try:
        return read(path, list(names))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as e:
        raise DataError(f"cannot read {path} ({e})", fix="check that the file is there and is whole") from e


def _jsonl(path: Path, names: list[str]) -> Table:
    table = Table(str(path), [], {name: [] for name in names})
    with _open(path) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as e:  # also numbers of thousands of digits
                why = e.msg if isinstance(e, json.JSONDecodeError) else str(e)
                raise DataError(f"{path}, line {number}: broken JSON ({why})", got=_shown(line)) from e
            if not isinstance(row, dict):
                raise DataError(f"{path}, line {number}", got=_shown(line), expected="a JSON object")
            _append(table, number, row)
    return table


def _csv(path: Path, names: list[str]) -> Table:
    # The library's limit on a field, 128 KiB, guards against a forgotten quote; articles may be longer.
    csv.field_size_limit(sys.maxsize)
    table = Table(str(path), [], {name: [] for name in names})
    with _open(path) as file:
        reader = csv.DictReader(file, strict=True)
        try:
            _check_once(path, names, reader.fieldnames or ())
            for row in reader:
                # A short row misses its last columns, which the reader gives as None.
                _append(table, reader.line_num, {k: v for k, v in row.items() if v is not None})
        except csv.Error as e:
            raise DataError(f"{path}, line {reader.reader.line_num}: broken CSV ({e})") from e
    return table


def _parquet(path: Path, names: list[str]) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        known = file.schema_arrow.names
        _check_once(path, names, known)
        if missing := [name for name in names if name not in known]:
            raise _missing(str(path), missing, known)
        read = file.read(columns=names)
    except pa.ArrowInvalid as e:
        raise DataError(f"{path} is not a Parquet file ({e})", fix="check the file, or its name") from e
    return Table(str(path), range(1, len(read) + 1), {name: read[name].to_pylist() for name in names})


_READERS: dict[str, Callable[[Path, list[str]], Table]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}


def _open(path: Path) -> IO[str]:
    # Spreadsheets begin their UTF-8 with a mark that is no part of the first column's name.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _append(table: Table, number: int, row: dict[str, Any]) -> None:
    if missing := [name for name in table.columns if name not in row]:
        raise _missing(f"{table.source}, line {number}", missing, row)
    assert isinstance(table.lines, list)
    table.lines.append(number)
    for name, values in table.columns.items():
        values.append(row[name])


def _check_once(path: Path, names: Sequence[str], known: Sequence[str]) -> None:
    if twice := [name for name in names if known.count(name) > 1]:
        raise DataError(f"{path} has several columns {twice[0]!r}", fix="rename all but one of them")


def _missing(where: str, missing: Sequence[str], known: Iterator[str] | Sequence[str] | dict) -> DataError:
    return DataError(
        f"{where}: no column {', '.join(map(repr, missing))}",
        got=f"columns {', '.join(map(str, known)) or '(none)'}",
        fix="name them by the setting columns, such as {document: article, summary: highlights}; "
        "with summary: null for prompts only",
    )


def _shown(line: str) -> str:
    line = line.strip()
    return line if len(line) <= 60 else f"{line[:57]}..."
