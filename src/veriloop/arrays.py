"""Arrays in .npy and .npz files, read within bounds and without pickles."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .unpack import check_array, check_zip


class StoredArray:
    """An array in an .npz file, of which rows are read only when they are asked for.

    Attributes:
        shape: Of the array.
        dtype: Of its values.
    """

    def __init__(self, path: Path, start: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._path, self._start, self.shape, self.dtype = path, start, shape, dtype

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, last, _ = rows.indices(self.shape[0])
        width = int(np.prod(self.shape[1:]))
        offset = self._start + first * width * self.dtype.itemsize
        found = np.fromfile(self._path, self.dtype, (last - first) * width, offset=offset)
        return found.reshape(-1, *self.shape[1:])


def npz_names(path: Path) -> list[str]:
    """The names of the arrays in an .npz file.

    Raises:
        DataError: The file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist()]
    except FileNotFoundError:
        raise DataError(f"no such file: {path}", fix="check the path") from None
    except (OSError, zipfile.BadZipFile) as e:
        raise _unreadable(path, e) from e


def npz_array(path: Path, key: str) -> NDArray[Any] | StoredArray:
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
        raise _unreadable(path, e) from e
    return StoredArray(path, entry.header_offset + 30 + more + header, shape, dtype)


def npy_array(path: Path) -> NDArray[Any]:
    """The array of an .npy file.

    Raises:
        DataError: The file cannot be read, or holds less than its header says.
    """
    try:
        # Mapped first: the size that a header claims is then held against the file's before memory is taken.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError:
        raise DataError(f"no such file: {path}", fix="check the path") from None
    except (ValueError, OSError, EOFError) as e:
        raise _unreadable(path, e) from e


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read", got=(str(error).splitlines() or [type(error).__name__])[0])
