"""File names of chunks in a round in progress: they identify the content and hold its digest."""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

UNDER_WAY = ".part"
"""Suffix, after the arm's name, of the directory of a round in progress; arm names contain no dot."""

_NAME = re.compile(r"chunk_(\d{6,})-([0-9a-f]{16})-([0-9a-f]{64})")


class ChunkName(NamedTuple):
    """The parts of a chunk's file name: its number, the key of the round, and the digest of the content."""

    number: int
    key: str
    digest: str

    def is_of(self, content: bytes) -> bool:
        """Whether ``content`` matches the digest."""
        return hashlib.sha256(content).hexdigest() == self.digest


def chunk_name(number: int, key: str, content: bytes) -> str:
    """Return the file name of a chunk."""
    return f"chunk_{number:06d}-{key}-{hashlib.sha256(content).hexdigest()}"


def chunk_of(path: Path) -> ChunkName | None:
    """Parse the name of a chunk's file; None for other files."""
    named = _NAME.fullmatch(path.name)
    return ChunkName(int(named[1]), named[2], named[3]) if named else None
