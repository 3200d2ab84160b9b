"""Writes that happen whole or not at all: write aside, fsync, rename."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import StorageError


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a failed write below ``path`` (disk full, size limit, no permission) into one clear line."""
    try:
        yield
    except StorageError:
        raise
    except OSError as e:
        reason = e.strerror or str(e)
        misplaced = isinstance(e, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        fix = "choose a file in a folder that is there" if misplaced else "make room or choose another folder"
        raise StorageError(f"cannot write {path}: {reason}", fix=f"{fix}; finished rounds are safe") from e


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, replacing what was there in one step.

    Raises:
        StorageError: It could not be written; what was there before is untouched.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with storage_errors(path):
        try:
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            _sync(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def publish_directory(aside: Path, path: Path) -> None:
    """Rename the finished directory ``aside`` to ``path``, replacing a leftover that was there.

    Raises:
        StorageError: It could not be renamed.
    """
    with storage_errors(path):
        for directory, _, names in os.walk(aside):
            for name in names:
                _sync(f"{directory}/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            shutil.rmtree(path)
        aside.rename(path)
        _sync(path.parent)


def append_line(path: Path, line: str, *, durable: bool = True) -> None:
    """Append one line to ``path`` in one write, and fsync if ``durable``.

    A failed append leaves the file as it was. Several processes may append to one file.

    Raises:
        StorageError: It could not be written.
    """
    with storage_errors(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            before = os.fstat(handle).st_size
            data = line.encode() + b"\n"
            try:
                # A write that did not fit whole: the next one tells why.
                while data:
                    data = data[os.write(handle, data) :]
                if durable:
                    os.fsync(handle)
            except OSError:
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)


def drop_torn_line(path: Path) -> None:
    """Cut off a last line without its line end, which a kill in the middle of a write has left."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with storage_errors(path), path.open("r+b") as file:
                file.truncate(whole)


def _sync(path: Path | str) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
