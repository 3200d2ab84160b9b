"""Store finished chunks of candidates in files, so that a kill loses one chunk, not the whole round.

A file holds all verdicts of a chunk and the candidates that may still be kept, or all candidates. It belongs
to one arm, round, model, judge and configuration; any other file is stale.
"""

import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import CorruptFileError
from ..generator import Notes
from ..samples import Samples
from ..store.atomic import storage_errors
from ..store.chunks import chunk_name, chunk_of
from ..verdicts import Verdicts

STORED = ("_chunk", "_row", "_score", "_decision", "_reason")
"""Columns stored next to the candidates."""


class Stored(NamedTuple):
    """A chunk as stored in its file.

    Attributes:
        verdicts: Verdicts on all n candidates.
        notes: Notes of the generator on all of them.
        groups: Group of each candidate, shape (n,).
        rows: Rows of the stored candidates, in increasing order.
        samples: Stored candidates.
    """

    verdicts: Verdicts
    notes: Notes | None
    groups: NDArray[Any]
    rows: NDArray[np.int64]
    samples: Samples

    def only(self, rows: NDArray[np.int64]) -> "Stored":
        """Return this chunk with only the samples in ``rows``."""
        return self._replace(rows=rows, samples=self.samples.select(self.rows.searchsorted(rows)))

    @property
    def offered(self) -> Samples:
        """Return what a selection is shown: all candidates, or empty rows if it does not look at them."""
        n = len(self.verdicts)
        return self.samples if len(self.rows) == n else Samples(row=np.arange(n))


@dataclass(frozen=True)
class ChunkFiles:
    """The finished chunks of a round.

    Attributes:
        directory: Folder of the files, next to the folder of the finished round.
        digest: Function that returns the digest of everything the candidates depend on.
        whole: Whether all candidates are stored, or only those that may be kept.
        always: Whether a round of one chunk is stored, too.
        told: Called for each chunk stored, with its number and size.
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
        """Return the files by number, removing stale ones."""
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
        """Read a chunk; None if it is missing or damaged and has to be made again."""
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
        """Store a chunk without syncing: damage by a power cut is detected, and the chunk made again.

        Raises:
            StorageError: The file could not be written.
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
        """Remove all chunks."""
        self._found.clear()
        shutil.rmtree(self.directory, ignore_errors=True)

    def write_candidates(self, directory: Path) -> None:
        """Write all chunks to the new ``directory``, as samples with their verdicts.

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
    # Scores hardly compress, and compressing them took longer than all other work on a stored candidate.
    first = Samples(**columns).to_bytes(packed=any(isinstance(column, list) for column in columns.values()))
    return len(first).to_bytes(8, "little") + first + chunk.samples.to_bytes()


def _narrow(groups: NDArray[Any]) -> NDArray[Any]:
    """Return integers in the smallest type that holds them."""
    if groups.dtype.kind not in "iu":
        return groups
    return groups.astype(
        np.result_type(*(np.min_scalar_type(f(groups, initial=0)) for f in (np.min, np.max)))
    )


def read(path: Path) -> Stored:
    """Read the file of a chunk.

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
