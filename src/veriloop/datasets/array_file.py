"""Your own numbers: a table of numbers and categories, or arrays, in one file."""

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

    What each column is shows in its values: numbers are numbers; texts, truth values, and whole numbers of
    which there are two are categories; an array of two axes holds vectors, one of uint8 with three or four
    images. A column of whole numbers
    from 0 that is called ``label`` holds classes, which generators are given. All other columns are made,
    unless they are named in ``given``. A missing value is refused, with its row.

    Rows that hold fractions are told apart by what they hold, and equal ones stay on one side; rows of whole
    numbers and categories alone are equal by right.

    Attributes:
        path: The file; a relative one is looked for in the working directory, then in ``$VERILOOP_DATA``.
        columns: Which columns, or arrays, to use; None for all.
        label: The column of the classes, whole numbers from 0; None for one called ``label``.
        given: Columns that generators are given, such as a category to make rows for.
        categories: Columns of whole numbers that are categories.

    The others are those of `veriloop.datasets.held_out.Splits`.
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
        """Load and split; only the choice and order of training rows depends on ``seed``."""
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
    """What `settle` finds; ``stamp`` differs once the file has changed."""
    return settle(read(file, source), wishes)


def read(file: Path, source: str) -> Table:
    """All columns of a file.

    Raises:
        ConfigError: Its name ends in something else than the kinds that are known.
        DataError: It cannot be read, or its arrays are of different length.
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
    """What tells rows apart: all that they hold, or their place where they hold no fractions."""
    numbers = [c for c in (rows[name] for name in rows) if isinstance(c, np.ndarray)]
    if not any(_telling(column) for column in numbers):
        return [row.to_bytes(8, "little") for row in range(len(rows))]
    whole = np.concatenate([c.reshape(len(rows), -1).astype(np.float64) for c in numbers], axis=1)
    texts = [c for c in (rows[name] for name in rows) if not isinstance(c, np.ndarray)]
    joined = zip(array_keys(whole), *texts, strict=True) if texts else ((key,) for key in array_keys(whole))
    return [key + "\0".join(words).encode() for key, *words in joined]


def _telling(column: NDArray[Any]) -> bool:
    """Whether two rows with the same value are the same row, and not equal by chance."""
    return column.ndim > 2 or (column.dtype.kind == "f" and bool((column != np.rint(column)).any()))
