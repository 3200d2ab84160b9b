"""The files of a round under way: their names say what they are of, and hold their digest."""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

UNDER_WAY = ".part"
"""What the directory of a round under way is called after the arm's name, which has no dot."""

_NAME = re.compile(r"chunk_(\d{6,})-([0-9a-f]{16})-([0-9a-f]{64})")


class ChunkName(NamedTuple):
    """What the name of a chunk's file says: its number, the key of the round, the digest of the content."""

    number: int
    key: str
    digest: str

    def is_of(self, content: bytes) -> bool:
        """Whether the content is the one that was stored."""
        return hashlib.sha256(content).hexdigest() == self.digest


def chunk_name(number: int, key: str, content: bytes) -> str:
    """The name of the file of a chunk."""
    return f"chunk_{number:06d}-{key}-{hashlib.sha256(content).hexdigest()}"


def chunk_of(path: Path) -> ChunkName | None:
    """What the name of a chunk's file says; None of other files."""
    named = _NAME.fullmatch(path.name)
    return ChunkName(int(named[1]), named[2], named[3]) if named else None
