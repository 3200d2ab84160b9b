"""Finished chunks of a round's candidates, as files: a kill costs the chunk under way, and not the round.

A file holds all that was said of a chunk's candidates, and of the candidates themselves those that can still
be kept, or all. It belongs to one arm, round, model, judge and configuration; others are stale.
"""

import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptFileError
from ..generator import Notes
from ..samples import Samples
from ..store.atomic import storage_errors
from ..store.chunks import chunk_name, chunk_of
from ..verdicts import Verdicts

STORED = ("_chunk", "_row", "_score", "_decision", "_reason")
"""The columns beside the candidates in its files."""


class Stored(NamedTuple):
    """A chunk as its file holds it.

    Attributes:
        verdicts: On all n candidates.
        notes: Of the generator, on all of them.
        groups: The group of each, shape (n,).
        rows: The candidates that are stored, in increasing order.
        samples: These.
    """

    verdicts: Verdicts
    notes: Notes | None
    groups: NDArray
    rows: NDArray[np.int64]
    samples: Samples

    def only(self, rows: NDArray[np.int64]) -> "Stored":
        """The same with fewer samples, those of ``rows``."""
        return self._replace(rows=rows, samples=self.samples.select(self.rows.searchsorted(rows)))

    @property
    def offered(self) -> Samples:
        """What a selection is shown: all candidates, or empty rows if it does not look at them."""
        n = len(self.verdicts)
        return self.samples if len(self.rows) == n else Samples(row=np.arange(n))


@dataclass(frozen=True)
class ChunkFiles:
    """The finished chunks of a round.

    Attributes:
        directory: Where they are, beside the directory of the finished round.
        digest: Gives the digest of all that the candidates depend on.
        whole: Whether all candidates are stored, not only those that can be kept.
        always: Whether a round of one chunk is stored, too.
        told: Is told of each chunk that is stored: its number, and how many candidates it has.
    """

    directory: Path
    digest: Callable[[], str]
    whole: bool
    always: bool
    told: Callable[[int, int], None] = field(default=lambda number, size: None)

    @cached_property
    def _key(self) -> str:
        return self.digest()[:16]

    @cached_property
    def _found(self) -> dict[int, Path]:
        """The files by number; stale ones are removed."""
        found: dict[int, Path] = {}
        for path in sorted(self.directory.iterdir()) if self.directory.is_dir() else ():
            name = chunk_of(path)
            if name is not None and name.key == self._key:
                found[name.number] = path
            else:
                path.unlink()
        return found

    def __contains__(self, number: int) -> bool:
        return number in self._found

    def load(self, number: int, size: int) -> Stored | None:
        """A chunk that is there; None if its file is not what was stored, and has to be made again."""
        path = self._found.pop(number)
        try:
            stored = read(path)
        except CorruptFileError:
            stored = None
        if stored is None or len(stored.verdicts) != size:
            path.unlink()
            return None
        self._found[number] = path
        return stored

    def store(self, number: int, chunk: Stored) -> None:
        """Store a chunk. Not synced: what a power cut spoils is noticed, and made again.

        Raises:
            StorageError: It could not be written.
        """
        content = _content(chunk)
        path = self.directory / chunk_name(number, self._key, content)
        with storage_errors(path):
            self.directory.mkdir(parents=True, exist_ok=True)
            aside = path.with_name(f".{path.name}.{os.getpid()}")
            aside.write_bytes(content)
            aside.replace(path)
        self._found[number] = path
        self.told(number, len(chunk.verdicts))

    def discard(self) -> None:
        """Forget all chunks."""
        self._found.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def write_candidates(self, directory: Path) -> None:
        """Write all chunks into the new ``directory``, as samples with what was said of them.

        Raises:
            StorageError: They could not be written.
        """
        with storage_errors(directory):
            directory.mkdir()
            for number, path in sorted(self._found.items()):
                stored = read(path)
                verdicts, n = stored.verdicts, len(stored.verdicts)
                numbers = np.full(n, number, np.int32), np.arange(n, dtype=np.int32)
                said = verdicts.score, verdicts.decision, verdicts.reason or [""] * n
                columns = dict(zip(STORED, (*numbers, *said), strict=True))
                stored.samples.with_columns(**columns).save(directory / f"{number:06d}.npz")


def _content(chunk: Stored) -> bytes:
    verdicts, notes = chunk.verdicts, chunk.notes
    columns: dict[str, object] = {
        "score": verdicts.score,
        "decision": verdicts.decision,
        "group": _narrow(chunk.groups),
        "stored": np.isin(np.arange(len(verdicts)), chunk.rows),
    }
    if chunk.groups.dtype.kind == "U":
        columns["group"] = chunk.groups.tolist()
    if verdicts.reason:
        columns["reason"] = verdicts.reason
    if notes is not None:
        columns["cut"] = notes.cut
        if len(notes.reason):
            columns["unwritten"] = list(notes.reason)
        if notes.tokens is not None:
            columns["tokens"] = notes.tokens
    # Scores hardly get smaller when packed, and to pack them took longer than all else that is done for a
    # candidate where it is kept.
    first = Samples(**columns).to_bytes(packed=any(isinstance(column, list) for column in columns.values()))
    return len(first).to_bytes(8, "little") + first + chunk.samples.to_bytes()


def _narrow(groups: NDArray) -> NDArray:
    """Whole numbers in as few bytes as hold them."""
    if groups.dtype.kind not in "iu":
        return groups
    return groups.astype(
        np.result_type(*(np.min_scalar_type(f(groups, initial=0)) for f in (np.min, np.max)))
    )


def read(path: Path) -> Stored:
    """A chunk's file.

    Raises:
        CorruptFileError: It has changed.
    """
    name, content = chunk_of(path), path.read_bytes()
    if name is None or not name.is_of(content):
        raise CorruptFileError(f"{path} is not the file that the run wrote")
    end = 8 + int.from_bytes(content[:8], "little")
    said, samples = (Samples.read(io.BytesIO(piece), path) for piece in (content[8:end], content[end:]))
    notes = None
    if "cut" in said:
        unwritten = said.texts("unwritten") if "unwritten" in said else ()
        notes = Notes(said.array("cut"), unwritten, said.array("tokens") if "tokens" in said else None)
    return Stored(
        Verdicts(said["score"], said["decision"], said.texts("reason") if "reason" in said else None),
        notes,
        np.asarray(said["group"]),
        np.flatnonzero(said.array("stored")),
        samples,
    )
