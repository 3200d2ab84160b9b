"""Writes that happen whole or not at all: write aside, fsync, rename."""

import contextlib
import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import ConfigError, ReadOnlyError, StorageError

_ASIDE = re.compile(r"\..+\.(\d+)")


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn a failed write below ``path`` (disk full, size limit, no permission) into one clear line."""
    try:
        yield
    except StorageError:
        raise
    except OSError as e:
        reason = e.strerror or str(e)
        if e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise ReadOnlyError(
                f"cannot write {path}: {reason}", fix="choose a folder of your own, or change its permissions"
            ) from e
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
            sync(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise


def check_replaceable(path: Path) -> None:
    """Refuse a file to write to, named by a user, that is there and not a regular one.

    Raises:
        ConfigError: It is a link, a directory, a pipe or a device, which a rename would replace.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFLNK: "a link", stat.S_IFDIR: "a directory", stat.S_IFIFO: "a pipe"}
        raise ConfigError(
            f"file to write to: {path}",
            got=kinds.get(stat.S_IFMT(mode), "a device or socket"),
            expected="a new file, or a regular one to replace",
        )


def remove_asides(directory: Path) -> None:
    """Remove what `write_file` has left in ``directory`` when its process was killed."""
    for path in directory.iterdir() if directory.is_dir() else ():
        if (aside := is_aside(path)) and not _lives(int(aside[1])):
            path.unlink(missing_ok=True)


def is_aside(path: Path) -> re.Match[str] | None:
    """Whether `write_file` may have made it to write aside; its process is the first group."""
    return _ASIDE.fullmatch(path.name)


def _lives(process: int) -> bool:
    if process == os.getpid():
        return False  # of an earlier process with this number: ours writes nothing now
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def make_directory(path: Path) -> None:
    """Make ``path`` and the directories above it, each of them synced into the one that holds it."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def place_directory(aside: Path, path: Path) -> None:
    """Rename the directory ``aside`` to ``path``, replacing a leftover that was there. Not durable yet.

    Raises:
        StorageError: It could not be renamed.
    """
    with storage_errors(path):
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            shutil.rmtree(path)
        aside.rename(path)


def append_line(path: Path, line: str, *, durable: bool = True) -> None:
    """Append one line to ``path`` in one write, and fsync if ``durable``.

    A failed append leaves the file as it was. Several processes may append to one file.

    Raises:
        StorageError: It could not be written.
    """
    with storage_errors(path):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            before = os.fstat(handle).st_size
            data = line.encode() + b"\n"
            try:
                # A write that did not fit whole: the next one tells why.
                while data:
                    data = data[os.write(handle, data) :]
                if durable:
                    os.fsync(handle)
                    if not before:
                        sync(path.parent)
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


def sync(path: Path | str) -> None:
    """Make a directory's names durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
