"""Tables of a user's own, with a row for each sample: scores, verdicts, labels and features."""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..tables import read_values
from ..unpack import check_array, check_zip
from ..verdicts import Decision, Verdicts

YES = frozenset({"1", "1.0", "true", "yes", "accept", "good"})
NO = frozenset({"0", "0.0", "false", "no", "reject", "bad"})


def read_frame(path: Path, columns: Sequence[str], texts: Sequence[str] = ()) -> pd.DataFrame:
    """The ``columns`` of a .jsonl, .parquet or .csv file, by `veriloop.tables.read_values`.

    Args:
        path: The file.
        columns: What it must have.
        texts: Columns that hold text, also where a CSV file's text looks like a number.

    Raises:
        ConfigError: Its name ends in something else.
        DataError: It cannot be read, has no rows, or a column is missing.
    """
    table = read_values(path, list(dict.fromkeys(columns)), texts)
    return pd.DataFrame({name: _series(values) for name, values in table.columns.items()})


def _series(values: list[Any]) -> pd.Series:
    """Whole numbers stay whole, also beside missing ones; those of more than 64 bits stay Python's own."""
    kinds = {type(value) for value in values} - {type(None)}
    missing = None in values
    if kinds == {bool}:
        return pd.Series(values, dtype="boolean" if missing else bool)
    if kinds == {int}:
        fits = all(value is None or -(2**63) <= value < 2**63 for value in values)
        return pd.Series(values, dtype=("Int64" if missing else np.int64) if fits else object)
    if kinds <= {int, float}:
        return pd.Series([np.nan if value is None else value for value in values], dtype=float)
    return pd.Series(values, dtype=object)


def yes_or_no(column: pd.Series) -> NDArray[np.bool_]:
    """A column of words such as accept and reject, or of 1 and 0.

    Raises:
        DataError: A word is neither.
    """
    words = column.astype(str).str.strip().str.lower()
    unknown = sorted(set(words) - YES - NO)
    if unknown:
        raise DataError(
            f"column {column.name!r}",
            got=", ".join(unknown[:3]),
            expected="1 and 0, yes and no, or accept and reject",
        )
    return words.isin(YES).to_numpy(bool)


def verdicts_of(column: pd.Series) -> Verdicts:
    """Numbers as scores, words as decisions; an abstention where there is nothing, or the word abstain.

    A column of nothing but 1 and 0 holds decisions: a threshold would make a no of all of them where the
    judge is worse than a coin.

    Raises:
        DataError: A word is none of these.
    """
    missing = column.isna().to_numpy(bool)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        score = column.to_numpy(float, na_value=np.nan)
        if np.isinf(score).any():
            raise DataError(
                f"column {column.name!r}, row {int(np.argmax(np.isinf(score))) + 1}: an infinite score",
                expected="a number, or nothing where the verifier abstained",
            )
        silent = np.isnan(score)
        if np.isin(score[~silent], (0, 1)).all():
            said = np.where(score == 1, Decision.ACCEPT, Decision.REJECT)
        else:
            said = np.full(len(score), Decision.OPEN)
        return Verdicts(score, np.where(silent, Decision.ABSTAIN, said))
    words = column.astype(str).str.strip().str.lower()
    silent = missing | (words == "abstain").to_numpy(bool)
    said = np.zeros(len(column), bool)
    said[~silent] = yes_or_no(column[~silent])
    decision = np.where(silent, Decision.ABSTAIN, np.where(said, Decision.ACCEPT, Decision.REJECT))
    return Verdicts(np.where(silent, np.nan, said), decision)


def numbers(table: pd.DataFrame, columns: Sequence[str], path: Path) -> NDArray[np.float64]:
    """Columns of numbers side by side, shape (rows, columns); NaN where there is nothing.

    Raises:
        DataError: One of them holds something else.
    """
    for name in columns:
        if not pd.api.types.is_numeric_dtype(table[name]):
            raise DataError(f"{path}, column {name!r}", got=str(table[name].dtype), expected="numbers")
    return np.column_stack([table[name].to_numpy(float, na_value=np.nan) for name in columns])


class StoredArray:
    """An array in an .npz file, of which rows are read only when they are asked for.

    Attributes:
        shape: Of the array.
        dtype: Of its values.
    """

    def __init__(self, path: Path, start: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._path, self._start, self.shape, self.dtype = path, start, shape, dtype

    def __getitem__(self, rows: slice) -> NDArray:
        first, last, _ = rows.indices(self.shape[0])
        width = int(np.prod(self.shape[1:]))
        offset = self._start + first * width * self.dtype.itemsize
        found = np.fromfile(self._path, self.dtype, (last - first) * width, offset=offset)
        return found.reshape(-1, *self.shape[1:])


def npz_array(path: Path, key: str) -> NDArray | StoredArray:
    """An array of an .npz file. One that is stored plainly (``np.savez``) stays on disk, row by row.

    Raises:
        DataError: The file cannot be read, or has no such array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            check_zip(path, archive)
            known = [name.removesuffix(".npy") for name in archive.namelist()]
            if key not in known:
                raise DataError(f"{path} has no such array", got=key, expected=f"one of {', '.join(known)}")
            entry = archive.getinfo(f"{key}.npy")
            with archive.open(entry) as file:
                version = np.lib.format.read_magic(file)
                read = (
                    np.lib.format.read_array_header_1_0
                    if version == (1, 0)
                    else np.lib.format.read_array_header_2_0
                )
                shape, by_column, dtype = read(file)
                header = file.tell()
            check_array(path, shape, dtype, entry.file_size - header)
        if entry.compress_type != zipfile.ZIP_STORED or by_column or dtype.hasobject or not shape:
            with np.load(path, allow_pickle=False) as stored:
                return stored[key]
        with path.open("rb") as file:
            # The local header before an entry: 30 bytes, of which the last 4 tell how much follows them.
            file.seek(entry.header_offset + 26)
            more = int(np.frombuffer(file.read(4), "<u2").sum())
    except FileNotFoundError:
        raise DataError(f"no such file: {path}", fix="check the path") from None
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as e:
        if isinstance(e, DataError):
            raise
        raise DataError(f"{path} cannot be read", got=str(e).splitlines()[0]) from e
    return StoredArray(path, entry.header_offset + 30 + more + header, shape, dtype)
