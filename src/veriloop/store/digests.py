"""Digests of what a run folder holds, so that a changed bit is found where it is read.

Three ways, by what a file is. The files of a round are named with their digests in the round's
``digests.json``. Each line of ``records.jsonl`` has a line in ``records.sha256``, written before it, with the
digest of the line, that of the round's ``digests.json``, and one of itself. A JSON file that stands alone is
sealed: its last key is the digest of all before it.
"""

import codecs
import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from ..errors import CorruptFileError

DIGESTS = "digests.json"
"""The file of a round's directory that names all others, each with its SHA-256."""

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


def _digest(path: Path | str) -> str:
    """SHA-256 of a file. Small ones are read at once: the buffer for large ones costs more than they do."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - a round has ten of them, and milliseconds
        if os.fstat(file.fileno()).st_size <= SMALL:
            return sha256(file.read())
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- the files of a round --------------------------------------------------------------------------------


def write_digests(directory: Path) -> str:
    """Write the `DIGESTS` of all files below ``directory``, and return the digest of that file."""
    found = {name: _digest(f"{directory}/{name}") for name in names_below(directory)}
    content = json.dumps(found, indent=1).encode() + b"\n"
    (directory / DIGESTS).write_bytes(content)
    return sha256(content)


def names_below(directory: Path) -> list[str]:
    """The files below ``directory``, sorted, without its `DIGESTS`."""
    prefix = len(str(directory)) + 1
    found = [f"{at}/{name}"[prefix:] for at, _, names in os.walk(directory) for name in names]
    return sorted(name for name in found if name != DIGESTS)


def read_digests(directory: Path, expected: str) -> dict[str, str]:
    """What `write_digests` wrote, by name.

    Raises:
        CorruptFileError: The file is missing, or not that of digest ``expected``.
    """
    path = directory / DIGESTS
    try:
        content = path.read_bytes()
    except OSError as e:
        raise CorruptFileError(f"{path} cannot be read", got=e.strerror, fix=RESTORE) from e
    if sha256(content) != expected:
        raise CorruptFileError(f"{path} is not the file that the run wrote", fix=RESTORE)
    return json.loads(content)


def check_files(directory: Path, digests: Mapping[str, str], names: Iterable[str]) -> None:
    """Refuse files that have changed.

    Args:
        directory: Of the files.
        digests: Of `read_digests`.
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
        return None if _digest(path) == expected else "is not the file that the run wrote"
    except FileNotFoundError:
        return "is missing"
    except OSError as e:
        return f"cannot be read ({e.strerror})"


# -- the lines of the records ----------------------------------------------------------------------------


class LineCheck(NamedTuple):
    """A line of ``records.sha256``.

    Attributes:
        record: The digest of the line of ``records.jsonl``, without its end.
        files: The digest of the round's `DIGESTS`.
        place: ``round_K/ARM``.
    """

    record: str
    files: str
    place: str

    def line(self) -> str:
        """The line itself, without its end; it ends with a digest of its own."""
        own = " ".join(self)
        return f"{own} {sha256(own.encode())}"


def line_checks(path: Path, content: bytes) -> Iterator[LineCheck]:
    """The whole lines of ``records.sha256``.

    Raises:
        CorruptFileError: A line has changed.
    """
    for number, line in enumerate(content.split(b"\n")[:-1], 1):
        own, _, digest = line.rpartition(b" ")
        fields = own.decode(errors="replace").split(" ")
        if len(fields) != len(LineCheck._fields) or sha256(own).encode() != digest:
            raise CorruptFileError(f"{path}, line {number}, is not what the run wrote", fix=RESTORE)
        yield LineCheck(*fields)
