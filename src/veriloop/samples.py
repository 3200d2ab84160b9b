"""Samples: columns of equal length, the one form of data that flows through the loop."""

import io
import zipfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError, CorruptFileError, DataError
from .nested import Nested
from .unpack import check_zip

Column = NDArray[Any] | list[str]
"""An array whose first axis counts samples, or a list of one text per sample; `Nested` for nested values."""

UNCOMPRESSED = 2**15
"""Files up to this many bytes are not compressed: disks allocate whole kilobytes, so it would not pay."""


MOST_PACKED = 100
"""Files whose content is more than this many times their size are held to the limit for packed files."""


class Samples(Mapping[str, Column]):
    """Immutable columns of equal length: arrays, lists of text, or nested values (`Nested`).

    ``samples["pixels"]`` is a column, ``len(samples)`` the number of samples, ``list(samples)`` the column
    names. Unlike in a dict, ``len`` counts rows.

    Example:
        >>> s = Samples(pixels=np.zeros((3, 8, 8), np.uint8), label=np.array([0, 1, 2]))
        >>> len(s), list(s), len(s.select(s["label"] > 0))
        (3, ['pixels', 'label'], 2)

    Raises:
        DataError: There are no columns, columns differ in length, or a column is neither an array of numbers
            nor a list of text.
    """

    __slots__ = ("_columns", "_length")

    def __init__(self, /, **columns: object) -> None:
        if not columns:
            raise DataError("samples without columns", fix="pass at least one column by name")
        self._columns: dict[str, Column] = {k: _column(k, v) for k, v in columns.items()}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise DataError("columns of different length", got=str(lengths), expected="equal lengths")
        self._length = next(iter(lengths.values()))

    def __getitem__(self, name: str) -> Column:
        try:
            return self._columns[name]
        except KeyError:
            raise DataError(
                "no such column", got=name, expected=f"one of {', '.join(self._columns)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return self._length

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __repr__(self) -> str:
        inside = ", ".join(
            f"{k}: {c.dtype}{list(c.shape[1:])}" if isinstance(c, np.ndarray) else f"{k}: {type_of(c)}"
            for k, c in self._columns.items()
        )
        return f"Samples({len(self)} x {{{inside}}})"

    def array(self, name: str) -> NDArray[Any]:
        """Return the column ``name``, which must be an array.

        Raises:
            DataError: There is no such column, or it holds text.
        """
        column = self[name]
        if not isinstance(column, np.ndarray):
            raise DataError(f"column {name!r} holds text", expected="an array of numbers")
        return column

    def texts(self, name: str) -> list[str]:
        """Return the column ``name``, which must hold text; nested values are returned as JSON.

        Raises:
            DataError: There is no such column, or it is an array.
        """
        column = self[name]
        if isinstance(column, np.ndarray):
            raise DataError(f"column {name!r} is an array of {column.dtype}", expected="a list of text")
        return column

    def select(self, rows: NDArray[Any] | slice) -> "Samples":
        """Return the samples at ``rows``: a boolean mask, an index array, or a slice."""
        if isinstance(rows, np.ndarray) and rows.dtype == bool:
            if len(rows) != len(self):
                raise DataError("mask of the wrong length", got=len(rows), expected=len(self))
            rows = np.flatnonzero(rows)
        picked: dict[str, Column] = {}
        for name, column in self._columns.items():
            if isinstance(column, np.ndarray):
                taken = column[rows]
                taken.flags.writeable = False
                picked[name] = taken
            else:
                picked[name] = _like(
                    column, column[rows] if isinstance(rows, slice) else [column[i] for i in rows]
                )
        return _checked(picked)

    def with_columns(self, /, **columns: object) -> "Samples":
        """Return these samples with columns added or replaced."""
        new = {name: _column(name, column) for name, column in columns.items()}
        for name, column in new.items():
            if len(column) != len(self):
                raise DataError(
                    "columns of different length", got=f"{name}: {len(column)}", expected=f"{len(self)}"
                )
        return _checked({**self._columns, **new})

    def only(self, names: Sequence[str]) -> "Samples":
        """Return these samples with only the columns ``names``, in that order."""
        if not names:
            raise DataError("samples without columns", fix="name at least one column")
        return _checked({name: self[name] for name in names})

    def __eq__(self, other: object) -> bool:
        """Compare as `same_as` does, if ``other`` is also `Samples`."""
        return self.same_as(other) if isinstance(other, Samples) else NotImplemented

    __hash__ = None

    def same_as(self, other: "Samples") -> bool:
        """Whether both have the same columns with the same types and bit-equal values."""
        if list(self) != list(other) or len(self) != len(other):
            return False
        return all(_equal(self[name], other[name]) for name in self)

    def save(self, path: Path) -> None:
        """Write an NPZ file without pickle (text as UTF-8 bytes and offsets), compressed if it is large."""
        Path(path).write_bytes(self.to_bytes())

    def to_bytes(self, packed: bool | None = None) -> bytes:
        """Return the content of the file that :meth:`save` writes; equal samples give equal bytes.

        Args:
            packed: Whether to compress it; if None, only when it is large.
        """
        arrays: dict[str, NDArray[Any]] = {}
        for name, column in self._columns.items():
            if isinstance(column, np.ndarray):
                arrays[f"{name}.array"] = column
            else:
                encoded = [text.encode() for text in column]
                form = "json" if isinstance(column, Nested) else "text"
                arrays[f"{name}.{form}"] = np.frombuffer(b"".join(encoded), np.uint8)
                arrays[f"{name}.ends"] = np.cumsum([len(e) for e in encoded], dtype=np.int64)
        buffer = io.BytesIO()
        if packed is None:
            packed = sum(array.nbytes for array in arrays.values()) > UNCOMPRESSED
        (np.savez_compressed if packed else np.savez)(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, path: Path) -> "Samples":
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: The file is truncated or was changed.
        """
        try:
            with Path(path).open("rb") as file:
                return cls.read(file, path)
        except FileNotFoundError:
            raise CorruptFileError(f"samples file {path} is missing") from None
        except OSError as e:
            raise CorruptFileError(f"samples file {path} cannot be read ({e})") from e

    @classmethod
    def read(cls, file: BinaryIO, path: Path) -> "Samples":
        """Read an open file, as `load` does; ``path`` is its path or the file that contains it."""
        try:
            begin = file.tell()
            with zipfile.ZipFile(file) as archive:
                # Ordinary samples never compress this well; a file made to fill memory may.
                entries = archive.infolist()
                packed = sum(entry.compress_size for entry in entries)
                if sum(entry.file_size for entry in entries) > MOST_PACKED * packed:
                    check_zip(path, archive)
            file.seek(begin)
            with np.load(file, allow_pickle=False) as stored:
                return cls(**_read_columns(stored))
        except MemoryError as e:
            raise CorruptFileError(
                f"samples file {path} cannot be read ({e})",
                fix="free memory, or restore the file if its header is wrong",
            ) from None
        except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, EOFError, OSError) as e:
            raise CorruptFileError(
                f"samples file {path} cannot be read ({e})",
                fix="delete the round it belongs to from the run folder, or restore the file",
            ) from e


def _checked(columns: dict[str, Column]) -> Samples:
    """Make samples from columns already known to be valid; a round makes dozens of them."""
    samples = Samples.__new__(Samples)
    samples._columns = columns
    samples._length = len(next(iter(columns.values())))
    return samples


def concat(parts: Sequence[Samples]) -> Samples:
    """Join all samples of ``parts`` in order.

    Raises:
        DataError: ``parts`` is empty, or the parts do not have the same columns.
    """
    if not parts:
        raise DataError("nothing to concatenate", expected="at least one Samples")
    names = list(parts[0])
    if len(parts) == 1 and all(_in_usual_order(column) for column in parts[0].values()):
        return parts[0]
    for part in parts[1:]:
        if set(part) != set(names):
            raise DataError("different columns", got=", ".join(part), expected=", ".join(names))
    joined: dict[str, object] = {}
    for name in names:
        columns = [part[name] for part in parts]
        if all(isinstance(c, np.ndarray) for c in columns):
            # In C order, as when read from a file: the last bits of a sum may depend on the memory layout.
            joined[name] = np.ascontiguousarray(np.concatenate([np.asarray(c) for c in columns]))
        else:
            texts = [text for c in columns for text in c]
            joined[name] = Nested(texts) if all(isinstance(c, Nested) for c in columns) else texts
    return Samples(**joined)


def _in_usual_order(column: Column) -> bool:
    return not isinstance(column, np.ndarray) or column.flags.c_contiguous


def rows_of(samples: Samples, names: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return each sample as a dict of plain values, the form that user functions receive.

    Texts stay texts, arrays become numbers or lists of numbers, and nested values become the original lists
    and dicts, so ``row["messages"]`` is a list of turns.

    Args:
        samples: Samples to convert.
        names: Columns in the order wanted; None for all except the loop's internal ones.
    """
    if names is None:
        names = [name for name in samples if not name.startswith("_")]
    columns = [plain(samples[name]) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def plain(column: Column) -> list[Any]:
    """Return the values of a column in the form of `rows_of`."""
    if isinstance(column, np.ndarray):
        return column.tolist()
    return column.values() if isinstance(column, Nested) else column


def type_of(column: Column) -> str:
    """Describe the type of a column: ``text``, ``nested values``, ``uint8 of shape (8, 8)``."""
    if not isinstance(column, np.ndarray):
        return "nested values" if isinstance(column, Nested) else "text"
    return f"{column.dtype} of shape {column.shape[1:]}" if column.ndim > 1 else str(column.dtype)


def same_type(column: Column, other: Column) -> bool:
    """Whether both columns have the same `type_of`, without building the text."""
    if isinstance(column, np.ndarray) and isinstance(other, np.ndarray):
        return column.dtype == other.dtype and column.shape[1:] == other.shape[1:]
    return isinstance(column, list) and isinstance(other, list) and type(column) is type(other)


def check_columns(wanted: Iterable[str], columns: Collection[str]) -> None:
    """Check that ``columns`` contains all of ``wanted``.

    Raises:
        ConfigError: One is missing.
    """
    for name in wanted:
        if name not in columns:
            raise ConfigError("columns", got=name, expected=f"names among {', '.join(columns)}")


def _column(name: str, value: object) -> Column:
    if isinstance(value, np.ndarray):
        if value.ndim == 0 or value.dtype.kind not in "biuf":
            raise DataError(
                f"column {name!r}",
                got=f"array of {value.dtype} with shape {value.shape}",
                expected="numbers with the samples along the first axis, or a list of text",
            )
        value = value.view()
        value.flags.writeable = False
        return value
    # Check each type that occurs once; checking each of a million values takes four times as long.
    if isinstance(value, list | tuple) and all(issubclass(kind, str) for kind in set(map(type, value))):
        return Nested(value) if isinstance(value, Nested) else list(value)
    raise DataError(
        f"column {name!r}",
        got=type(value).__name__,
        expected="an array of numbers, a list of text, or Nested.of(values) of veriloop.nested",
    )


def _like(column: list[str], texts: list[str]) -> list[str]:
    """Return ``texts`` as the class of ``column``."""
    return Nested(texts) if isinstance(column, Nested) else texts


def _equal(a: Column, b: Column) -> bool:
    if a is b:
        return True
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return type(a) is type(b) and list(a) == list(b)


def _read_columns(stored: Mapping[str, NDArray[Any]]) -> dict[str, object]:
    columns: dict[str, object] = {}
    for key in stored:
        name, _, form = key.rpartition(".")
        if form == "array":
            columns[name] = stored[key]
        elif form in ("text", "json"):
            whole, ends = stored[key].tobytes(), stored[f"{name}.ends"]
            starts = [0, *ends[:-1].tolist()] if len(ends) else []
            texts = [whole[a:b].decode() for a, b in zip(starts, ends.tolist(), strict=True)]
            columns[name] = Nested(texts) if form == "json" else texts
    return columns
