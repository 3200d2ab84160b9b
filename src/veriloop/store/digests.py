"""Digests of a run folder's content, so that a changed bit is detected when it is read.

There are two ways. Each line of ``records.jsonl`` has a line in ``records.sha256``, written before it, with
the digests of the record, of the round's files, and of itself. A separate JSON file is sealed: its last key
is the digest of everything before it.
"""

import codecs
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptFileError
from .atomic import sync

RESTORE = "restore the file; veriloop verify lists all files that differ"

SMALL = 2**16
"""Size in bytes up to which files are read at once."""

_SEAL = re.compile(rb',\n +"sha256": "([0-9a-f]{64})"\n\}\n\Z')


def sha256(content: bytes) -> str:
    """Return the digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def as_written(content: bytes) -> bytes:
    """Return a text file's content without a byte order mark or changed line ends, as an editor may add."""
    return content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")


# -- sealed JSON files -----------------------------------------------------------------------------------


def sealed(content: bytes) -> bytes:
    """Return a JSON object, on several lines and not empty, with the digest of its text as a last key."""
    body = content.rstrip().removesuffix(b"}").rstrip()
    return body + b',\n  "sha256": "' + sha256(body).encode() + b'"\n}\n'


def has_seal(content: bytes) -> bool:
    """Whether the content ends like the result of `sealed`."""
    return _SEAL.search(as_written(content)) is not None


def unsealed(path: Path, content: bytes) -> bytes:
    """Return what was passed to `sealed`, apart from trailing white space.

    Raises:
        CorruptFileError: ``content``, from the file ``path``, does not match its seal.
    """
    content = as_written(content)
    seal = _SEAL.search(content)
    if seal is None or sha256(content[: seal.start()]) != seal[1].decode():
        raise CorruptFileError(
            f"{path} cannot be read",
            got="content that does not match its digest" if seal else "a file without a digest",
            fix=RESTORE,
        )
    return content[: seal.start()] + b"\n}\n"


def _digest(file: FileIO) -> str:
    """SHA-256 of a file. Small files are read at once, since a large buffer costs more than they do."""
    if os.fstat(file.fileno()).st_size <= SMALL:
        return sha256(file.read())
    return hashlib.file_digest(file, "sha256").hexdigest()


# -- the files of a round --------------------------------------------------------------------------------


def settle(directory: Path) -> dict[str, str]:
    """Make a new ``directory`` and its content durable in place, with the two directories above it.

    The first fsync makes the file system write most changes, so the rest are cheap: that is why a round is
    synced in its final place and not before. Libraries may create files that only their owner can read; these
    get the permissions of the directory.

    Returns:
        The digest of each file by name, sorted.
    """
    mode, prefix = directory.stat().st_mode & 0o666, len(str(directory)) + 1
    digests: dict[str, str] = {}
    for at, _, names in os.walk(directory):
        for name in names:
            path = f"{at}/{name}"
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a round has ten of them
                if os.fstat(file.fileno()).st_mode & 0o777 != mode:
                    os.fchmod(file.fileno(), mode)
                digests[path[prefix:]] = _digest(file)
                os.fsync(file.fileno())
        sync(at)
    sync(directory.parent)
    sync(directory.parent.parent)
    return dict(sorted(digests.items()))


def names_below(directory: Path) -> list[str]:
    """Return the names of the files below ``directory``, sorted."""
    prefix = len(str(directory)) + 1
    return sorted(f"{at}/{name}"[prefix:] for at, _, names in os.walk(directory) for name in names)


def check_files(directory: Path, digests: Mapping[str, str], names: Iterable[str]) -> None:
    """Refuse files that have changed.

    Args:
        directory: Directory of the files.
        digests: Digests returned by `settle`.
        names: Names of the files to check, all in ``digests``.

    Raises:
        CorruptFileError: A file is missing or differs.
    """
    for name in names:
        if (why := differs(directory / name, digests[name])) is not None:
            raise CorruptFileError(f"{directory / name} {why}", fix=RESTORE)


def differs(path: Path, expected: str) -> str | None:
    """Return how a file differs from the digest ``expected``; None if it does not."""
    try:
        with path.open("rb", buffering=0) as file:
            digest = _digest(file)
        return None if digest == expected else "differs from what the run wrote"
    except FileNotFoundError:
        return "is missing"
    except OSError as e:
        return f"cannot be read ({e.strerror})"


# -- the lines of the records ----------------------------------------------------------------------------


class LineCheck(NamedTuple):
    """A line of ``records.sha256``.

    Attributes:
        place: ``round_K/ARM``.
        record: Digest of the line of ``records.jsonl``, without its line end.
        files: Digest of each file of the round, by its name below the place.
    """

    place: str
    record: str
    files: dict[str, str]

    def line(self) -> str:
        """Return the line without its line end; it starts with its own digest."""
        own = json.dumps(self._asdict())
        return f"{sha256(own.encode())} {own}"


def line_checks(path: Path, content: bytes) -> Iterator[LineCheck]:
    """Yield the complete lines of ``records.sha256``.

    Raises:
        CorruptFileError: A line has changed.
    """
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        digest, _, own = line.partition(b" ")
        if sha256(own).encode() != digest:
            raise CorruptFileError(f"{path}, line {number}, differs from what the run wrote", fix=RESTORE)
        yield LineCheck(**json.loads(own))
