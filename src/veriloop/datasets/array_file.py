"""A user's numbers: a table of numbers and categories, or arrays, in one file."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..arrays import npy_array, npz_array, npz_names
from ..errors import DataError
from ..samples import Samples
from ..schema import Schema
from ..tables import first_rows, read_values
from .base import Dataset, RealData
from .held_out import Pool, Splits
from .own_images import found
from .splits import array_keys
from .table_columns import Found, Table, Wishes, settle


class ArrayFile(Dataset, Splits, frozen=True):
    """Rows of numbers, vectors and categories, from a .npz, .npy, .csv, .parquet or .jsonl file.

    The type of each column follows from its values. Numbers are numbers; texts, booleans, and integers with
    only two different values are categories; an array with two axes holds vectors, and a uint8 array with
    three or four axes holds images. A column of integers from 0 that is called ``label`` holds classes, which
    generators receive as a condition. All other columns are generated unless they are listed in ``given``. A
    missing value is refused, with its row.

    Rows with fractions are identified by their content, and equal rows stay in one split; rows of only
    integers and categories may well repeat, so they are not compared.

    Attributes:
        path: Path of the file; a relative one is searched in the working directory, then in
            ``$VERILOOP_DATA``.
        columns: Names of the columns or arrays to use; None for all.
        label: Name of the class column, integers from 0; None for a column called ``label``.
        given: Columns that generators receive as conditions, such as a category to make rows for.
        categories: Names of integer columns that are categories.

    The other fields are those of `veriloop.datasets.held_out.Splits`.
    """

    path: Path
    columns: tuple[str, ...] | None = None
    label: str | None = None
    given: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @override
    def schema(self) -> Schema:  # pyright: ignore[reportIncompatibleMethodOverride]  # pydantic's old one
        return Schema(self._found().types)

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        n = len(next(iter(self._found().values.values())))
        self.check_sizes(n, None, 1, str(self.path))

    @override
    def sources(self) -> Mapping[str, Path]:
        return {str(self.path): self._file()}

    @override
    def load(self, seed: int) -> RealData:
        """Load and split; ``seed`` only affects the choice and order of training rows."""
        columns = self._found()
        rows = Samples(**columns.values)
        return self.split(
            Pool(rows, row_keys(rows)),
            None,
            None,
            label=columns.label,
            given=tuple(name for name in columns.types if columns.types[name].given) if self.given else (),
            seed=seed,
            where=str(self.path),
        )

    def _file(self) -> Path:
        return found(self.path, "file", Path.is_file)

    def _found(self) -> Found:
        file = self._file()
        stamp = file.stat()
        wishes = Wishes(self.columns, self.label, self.given, self.categories)
        return _settled(file, str(self.path), wishes, (stamp.st_mtime_ns, stamp.st_size))


@lru_cache(maxsize=2)
def _settled(file: Path, source: str, wishes: Wishes, stamp: tuple[int, int]) -> Found:
    """Return the result of `settle`; ``stamp`` changes when the file does."""
    return settle(read(file, source), wishes)


def read(file: Path, source: str) -> Table:
    """Read all columns of a file.

    Raises:
        ConfigError: The file name has an unknown ending.
        DataError: The file cannot be read, or its arrays have different lengths.
    """
    if file.suffix.lower() == ".npy":
        columns = {"x": npy_array(file)}
    elif file.suffix.lower() == ".npz":
        columns = {name: npz_array(file, name)[:] for name in npz_names(file)}
    else:
        table = read_values(file, list(first_rows(file).names))
        return Table(source, table.columns, [f"line {line}" for line in table.lines])
    lengths = {name: len(array) if array.ndim else 0 for name, array in columns.items()}
    if len(set(lengths.values())) != 1 or 0 in lengths.values():
        raise DataError(
            f"arrays in {source}",
            got=", ".join(f"{name}: {n} rows" for name, n in lengths.items()) or "none",
            expected="the same number of rows in each, at least one",
        )
    return Table(source, columns, [f"row {i + 1}" for i in range(next(iter(lengths.values())))])


def row_keys(rows: Samples) -> list[bytes]:
    """Return what identifies each row: its content, or its position if it contains no fractions."""
    numbers = [c for c in (rows[name] for name in rows) if isinstance(c, np.ndarray)]
    if not any(_telling(column) for column in numbers):
        return [row.to_bytes(8, "little") for row in range(len(rows))]
    whole = np.concatenate([c.reshape(len(rows), -1).astype(np.float64) for c in numbers], axis=1)
    texts = [c for c in (rows[name] for name in rows) if not isinstance(c, np.ndarray)]
    joined = zip(array_keys(whole), *texts, strict=True) if texts else ((key,) for key in array_keys(whole))
    return [key + "\0".join(words).encode() for key, *words in joined]


def _telling(column: NDArray[Any]) -> bool:
    """Whether two rows with the same value are the same row rather than equal by chance."""
    return column.ndim > 2 or (column.dtype.kind == "f" and bool((column != np.rint(column)).any()))
