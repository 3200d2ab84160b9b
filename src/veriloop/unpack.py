"""Unpack compressed files within a size limit, because a few hundred kilobytes can hold gigabytes."""

import gzip
import io
import os
import re
from pathlib import Path
from typing import IO, Any
from zipfile import ZipFile

from typing_extensions import override

from .errors import ConfigError, DataError

VARIABLE = "VERILOOP_MAX_UNPACKED"
"""Environment variable that limits how much one packed file may hold, such as 500MB or 20GB."""

USUAL = 4 * 2**30
"""Default limit in bytes. Files are read into memory, so few are larger."""

_UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


def most_unpacked() -> int:
    """Return how many bytes one packed file may hold.

    Raises:
        ConfigError: ``$VERILOOP_MAX_UNPACKED`` is not such a number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return USUAL
    found = re.fullmatch(r"([0-9]{1,15})\s*(|KB|MB|GB)", text.strip().upper())
    if not found:
        raise ConfigError(
            f"environment variable {VARIABLE}",
            got=text,
            expected="a number of bytes, or a size such as 500MB or 20GB",
        )
    return int(found[1]) * _UNITS[found[2]]


def check_size(path: Path, size: int) -> None:
    """Refuse the packed file ``path`` if it holds more than `most_unpacked`.

    Args:
        path: Path for the error message.
        size: Unpacked size in bytes.

    Raises:
        DataError: The file holds more.
    """
    if size > (most := most_unpacked()):
        raise DataError(
            f"{path} is too large when unpacked",
            got=f"{size:,} bytes or more",
            expected=f"at most {most:,}",
            fix=f"unpack it yourself, or raise {VARIABLE}, such as {VARIABLE}=20GB",
        )


class _Bounded(gzip.GzipFile):
    """A gzip file that raises as soon as it holds too much, before the rest is unpacked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path

    @override
    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            # In pieces, because the whole may be too large.
            return b"".join(iter(lambda: self.read(io.DEFAULT_BUFFER_SIZE * 16), b""))
        return self._checked(super().read(size))

    @override
    def read1(self, size: int = -1) -> bytes:
        return self._checked(super().read1(size))

    def _checked(self, content: bytes) -> bytes:
        check_size(self._path, self.tell())
        return content


def open_gzip(path: Path) -> IO[bytes]:
    """Open a gzip file for reading; reading more than `most_unpacked` raises a `DataError`."""
    return _Bounded(path)  # pyright: ignore[reportReturnType]


def check_zip(path: Path, archive: ZipFile) -> None:
    """Refuse a zip archive, such as an .npz file, whose entries are too large in total; unpacks nothing.

    Raises:
        DataError: They are too large. (No entry can hold more than the archive declares.)
    """
    check_size(path, sum(entry.file_size for entry in archive.infolist()))


def check_array(path: Path, shape: tuple[int, ...], dtype: Any, room: int) -> None:
    """Refuse an array whose header claims more data than the file holds, before memory is allocated.

    Args:
        path: Path for the error message.
        shape: Shape in the header.
        dtype: Type in the header.
        room: Size of its entry in bytes.

    Raises:
        DataError: The array is larger than its entry.
    """
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size > room:
        raise DataError(f"{path} is truncated", got=f"{room:,} bytes", expected=f"{size:,} for shape {shape}")
