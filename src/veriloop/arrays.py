"""Read arrays from .npy and .npz files, within size limits and without pickle."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataError
from .unpack import check_array, check_zip


class StoredArray:
    """An array in an .npz file whose rows are read only when they are used.

    Attributes:
        shape: Shape of the array.
        dtype: Type of its values.
    """

    def __init__(self, path: Path, start: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self._path = path
        self._start = start
        self.shape: tuple[int, ...] = shape
        self.dtype: np.dtype = dtype

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, last, _ = rows.indices(self.shape[0])
        width = int(np.prod(self.shape[1:]))
        offset = self._start + first * width * self.dtype.itemsize
        found = np.fromfile(self._path, self.dtype, (last - first) * width, offset=offset)
        return found.reshape(-1, *self.shape[1:])


def npz_names(path: Path) -> list[str]:
    """Return the names of the arrays in an .npz file.

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
    """Return an array of an .npz file. An uncompressed one (``np.savez``) is read row by row from disk.

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
        if not shape:
            raise DataError(f"{path}: array {key!r}", got="one value", expected="a row for each sample")
        if entry.compress_type != zipfile.ZIP_STORED or by_column or dtype.hasobject:
            with np.load(path, allow_pickle=False) as stored:
                return stored[key]
        with path.open("rb") as file:
            # The local header before an entry has 30 bytes; the last 4 give the length of what follows.
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
    """Return the array in an .npy file.

    Raises:
        DataError: The file cannot be read, or holds less data than its header claims.
    """
    try:
        # Map the file first, so that the claimed size is checked against the file before memory is allocated.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except FileNotFoundError:
        raise DataError(f"no such file: {path}", fix="check the path") from None
    except (ValueError, OSError, EOFError) as e:
        raise _unreadable(path, e) from e


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(f"{path} cannot be read", got=(str(error).splitlines() or [type(error).__name__])[0])
