"""Digests of what a run folder holds, so that a changed bit is found where it is read.

Two ways, by what a file is. Each line of ``records.jsonl`` has a line in ``records.sha256``, written before
it, with the digest of the line, those of the round's files, and one of itself. A JSON file that stands alone
is sealed: its last key is the digest of all before it.
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

RESTORE = "restore the file; veriloop verify tells of all that differ"

SMALL = 2**16
"""The size of files that are read at once, in bytes."""

_SEAL = re.compile(rb',\n +"sha256": "([0-9a-f]{64})"\n\}\n\Z')


def sha256(content: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def as_written(content: bytes) -> bytes:
    """A text file as it was before an editor saved it with a byte order mark, or with other line ends."""
    return content.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n")


# -- sealed JSON files -----------------------------------------------------------------------------------


def sealed(content: bytes) -> bytes:
    """A JSON object, over several lines and not empty, with the digest of its text as one more key."""
    body = content.rstrip().removesuffix(b"}").rstrip()
    return body + b',\n  "sha256": "' + sha256(body).encode() + b'"\n}\n'


def has_seal(content: bytes) -> bool:
    """Whether it ends like `sealed`."""
    return _SEAL.search(as_written(content)) is not None


def unsealed(path: Path, content: bytes) -> bytes:
    """What `sealed` was given, apart from white space at its end.

    Raises:
        CorruptFileError: ``content``, of the file ``path``, is not as `sealed` made it.
    """
    content = as_written(content)
    seal = _SEAL.search(content)
    if seal is None or sha256(content[: seal.start()]) != seal[1].decode():
        raise CorruptFileError(
            f"{path} cannot be read",
            got="a content that is not the one its digest is of" if seal else "a file without its digest",
            fix=RESTORE,
        )
    return content[: seal.start()] + b"\n}\n"


def _digest(file: FileIO) -> str:
    """SHA-256 of a file. Small ones are read at once: the buffer for large ones costs more than they do."""
    if os.fstat(file.fileno()).st_size <= SMALL:
        return sha256(file.read())
    return hashlib.file_digest(file, "sha256").hexdigest()


# -- the files of a round --------------------------------------------------------------------------------


def settle(directory: Path) -> dict[str, str]:
    """Make a new ``directory`` durable in its place, with all below it and the two directories above it.

    A file system writes what the directories have gained with the first file, and has little left to do for
    the others: that is why a round is settled where it stays, and not before it is put there. Libraries may
    make files for their owner alone; they get the permissions that the directory has.

    Returns:
        The digest of each file by its name, sorted.
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
    """The files below ``directory``, sorted."""
    prefix = len(str(directory)) + 1
    return sorted(f"{at}/{name}"[prefix:] for at, _, names in os.walk(directory) for name in names)


def check_files(directory: Path, digests: Mapping[str, str], names: Iterable[str]) -> None:
    """Refuse files that have changed.

    Args:
        directory: Of the files.
        digests: Of `settle`.
        names: Those to check, all in ``digests``.

    Raises:
        CorruptFileError: One is missing or differs.
    """
    for name in names:
        if (why := differs(directory / name, digests[name])) is not None:
            raise CorruptFileError(f"{directory / name} {why}", fix=RESTORE)


def differs(path: Path, expected: str) -> str | None:
    """In what way a file is not the one of digest ``expected``; None if it is."""
    try:
        with path.open("rb", buffering=0) as file:
            digest = _digest(file)
        return None if digest == expected else "is not the file that the run wrote"
    except FileNotFoundError:
        return "is missing"
    except OSError as e:
        return f"cannot be read ({e.strerror})"


# -- the lines of the records ----------------------------------------------------------------------------


class LineCheck(NamedTuple):
    """A line of ``records.sha256``.

    Attributes:
        place: ``round_K/ARM``.
        record: The digest of the line of ``records.jsonl``, without its end.
        files: The digest of each file of the round, by its name below its place.
    """

    place: str
    record: str
    files: dict[str, str]

    def line(self) -> str:
        """The line itself, without its end; it begins with the line's own digest."""
        own = json.dumps(self._asdict())
        return f"{sha256(own.encode())} {own}"


def line_checks(path: Path, content: bytes) -> Iterator[LineCheck]:
    """The whole lines of ``records.sha256``.

    Raises:
        CorruptFileError: A line has changed.
    """
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        digest, _, own = line.partition(b" ")
        if sha256(own).encode() != digest:
            raise CorruptFileError(f"{path}, line {number}, is not what the run wrote", fix=RESTORE)
        yield LineCheck(**json.loads(own))
