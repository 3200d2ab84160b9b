"""Packed files, unpacked within bounds: a few hundred kilobytes can hold gigabytes."""

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
"""The environment variable that says how much one packed file may hold, such as 500MB or 20GB."""

USUAL = 4 * 2**30
"""Bytes, where the variable says nothing. All that is read is held in memory, so few files are larger."""

_UNITS = {"": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30}


def most_unpacked() -> int:
    """How many bytes one packed file may hold.

    Raises:
        ConfigError: ``$VERILOOP_MAX_UNPACKED`` is no such number.
    """
    text = os.environ.get(VARIABLE, "")
    if not text:
        return USUAL
    found = re.fullmatch(r"([0-9]{1,15})\s*(|KB|MB|GB)", text.strip().upper())
    if not found:
        raise ConfigError(
            f"environment variable {VARIABLE}", got=text, expected="bytes, or such as 500MB or 20GB"
        )
    return int(found[1]) * _UNITS[found[2]]


def check_size(path: Path, size: int) -> None:
    """Refuse the packed file ``path`` if it holds more than `most_unpacked`.

    Args:
        path: For the message.
        size: Bytes, unpacked.

    Raises:
        DataError: It does.
    """
    if size > (most := most_unpacked()):
        raise DataError(
            f"{path} holds more than a packed file may",
            got=f"{size:,} bytes or more",
            expected=f"at most {most:,}",
            fix=f"unpack it yourself, or raise {VARIABLE}, such as {VARIABLE}=20GB",
        )


class _Bounded(gzip.GzipFile):
    """A gzip file that says so when it holds too much, before the rest is unpacked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "rb")
        self._path = path

    @override
    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            # In pieces: the whole may be too much.
            return b"".join(iter(lambda: self.read(io.DEFAULT_BUFFER_SIZE * 16), b""))
        return self._checked(super().read(size))

    @override
    def read1(self, size: int = -1) -> bytes:
        return self._checked(super().read1(size))

    def _checked(self, content: bytes) -> bytes:
        check_size(self._path, self.tell())
        return content


def open_gzip(path: Path) -> IO[bytes]:
    """A file packed by gzip, to read; reading more than `most_unpacked` is a `DataError`."""
    return _Bounded(path)  # pyright: ignore[reportReturnType]


def check_zip(path: Path, archive: ZipFile) -> None:
    """Refuse a zip archive, such as an .npz file, whose entries are too large together; unpacks nothing.

    Raises:
        DataError: They are. (No entry can hold more than the archive says.)
    """
    check_size(path, sum(entry.file_size for entry in archive.infolist()))


def check_array(path: Path, shape: tuple[int, ...], dtype: Any, room: int) -> None:
    """Refuse an array whose header says more than what follows: memory is taken by what it says.

    Args:
        path: For the message.
        shape: As the header says.
        dtype: Likewise.
        room: How many bytes its entry has.

    Raises:
        DataError: The array is larger.
    """
    size = dtype.itemsize
    for length in shape:
        size *= length
    if size > room:
        raise DataError(f"{path} is cut short", got=f"{room:,} bytes", expected=f"{size:,} for shape {shape}")
