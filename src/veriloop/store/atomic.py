"""Atomic writes: write to a temporary file, fsync, rename."""

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
                f"cannot write {path}: {reason}", fix="choose another folder, or change its permissions"
            ) from e
        misplaced = isinstance(e, FileNotFoundError | IsADirectoryError | NotADirectoryError)
        fix = "choose a file in an existing folder" if misplaced else "make room or choose another folder"
        raise StorageError(f"cannot write {path}: {reason}", fix=f"{fix}; finished rounds are safe") from e


def write_file(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path``, replacing the old file in one step.

    Raises:
        StorageError: It could not be written; the old file is unchanged.
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
    """Refuse an output path given by a user if it exists and is not a regular file.

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
            f"output file {path}",
            got=kinds.get(stat.S_IFMT(mode), "a device or socket"),
            expected="a new file, or a regular one to replace",
        )


def remove_asides(directory: Path) -> None:
    """Remove temporary files in ``directory`` left by `write_file` when its process was killed."""
    for path in directory.iterdir() if directory.is_dir() else ():
        if (aside := is_aside(path)) and not _lives(int(aside[1])):
            path.unlink(missing_ok=True)


def is_aside(path: Path) -> re.Match[str] | None:
    """Return a match if `write_file` may have created the file; the process id is the first group."""
    return _ASIDE.fullmatch(path.name)


def _lives(process: int) -> bool:
    if process == os.getpid():
        return False  # left by an earlier process with this id; this one is not writing now
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def make_directory(path: Path) -> None:
    """Create ``path`` and the directories above it, each synced into its parent."""
    if path.is_dir():
        return
    make_directory(path.parent)
    path.mkdir(exist_ok=True)
    sync(path.parent)


def place_directory(aside: Path, path: Path) -> None:
    """Rename the directory ``aside`` to ``path``, replacing any leftover. Not durable yet.

    Raises:
        StorageError: The directory could not be renamed.
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
                # The write was incomplete; the next one gives the reason.
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
    """Remove a last line without a line end, left by a kill in the middle of a write."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with storage_errors(path), path.open("r+b") as file:
                file.truncate(whole)


def sync(path: Path | str) -> None:
    """Make the names in a directory durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
