"""Reading of a run folder: its manifest, its finished rounds with their files, and its events.

Everything read is checked against its digest, see `veriloop.store.digests`. Reading needs no lock.
"""

import contextlib
import json
from pathlib import Path
from typing import Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ..errors import CorruptFileError, RunFolderError
from ..events import EVENT, Event
from ..records import RoundRecord, Split
from ..samples import Samples
from .chunks import UNDER_WAY
from .digests import RESTORE, LineCheck, check_files, differs, has_seal, unsealed
from .format_1 import migrated
from .ledger import Ledger, first_line
from .manifest import FORMAT, Format, Manifest
from .rows import ROWS, read_rows

PROVENANCE = ("_chunk", "_row", "_score")
"""Columns next to the data in a file of kept samples: where a sample was generated, and its score."""

MODELS = ("generator", "verifier")
"""Folders of a round that hold its model and the judge of its candidates."""

CANDIDATES = "candidates"
"""Folder of a finished round that holds all its candidates, if the plan keeps them."""

JUDGED = "judged.npz"
"""File with some candidates of each outcome and their verdicts, for viewing."""

FATE, SCORE, REASON = "_fate", "_score", "_reason"
"""Columns in that file, next to a candidate's own: outcome, score, and the verifier's remark."""

FATES = ("kept", "not kept", "abstained")
"""Possible outcomes of a candidate, by their number in the file, in display order."""

SOLVED = "solved.npz"
"""File with how often a round solved each prompt, if it wrote several texts for each."""

REAL = "real.npz"
"""File with some real samples for people to view."""

LAST_BYTES = 50_000
"""Number of last events read: enough to show what a run is doing or did last."""


class RunReader:
    """Reads the folder of one run, also while the run is writing to it.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = Path(path)
        self._events, self._ledger = self.path / "events.jsonl", Ledger(self.path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing run folder.

        Raises:
            RunFolderError: There is no run folder at ``path``.
        """
        folder = cls(path)
        if not folder.exists():
            what = "this folder does not contain a run" if folder.path.is_dir() else "no such run folder"
            raise RunFolderError(
                f"{what}: {path}", expected="a folder with manifest.json", fix="start one with: veriloop run"
            )
        folder.manifest()
        return folder

    def exists(self) -> bool:
        """Whether there is a run in this folder."""
        return (self.path / "manifest.json").is_file()

    @property
    def name(self) -> str:
        """Name of the folder, even if it was given as ``.``; for a link, the link's name."""
        return self.path.absolute().name

    # -- manifest and records

    def manifest(self) -> Manifest:
        """Return the run's manifest.

        Raises:
            CorruptFileError: ``manifest.json`` cannot be read.
        """
        path = self.path / "manifest.json"
        try:
            text = path.read_bytes()
            if has_seal(text):
                unsealed(path, text)
            content = json.loads(text)
            written_in = content.get("format", 1) if isinstance(content, dict) else FORMAT
            if written_in == 1:
                content = migrated(content, self._measured())
            elif written_in not in get_args(Format):
                raise CorruptFileError(
                    f"{path} is from a later version", got=f"format {written_in}", fix="update veriloop"
                )
            else:
                unsealed(path, text)
            return Manifest.model_validate(content)
        except (OSError, ValueError) as e:
            raise CorruptFileError(
                f"{path} cannot be read", got=first_line(e), fix="restore the file, or start in a new folder"
            ) from e

    def records(self) -> list[RoundRecord]:
        """Return the finished rounds, in the order in which they finished.

        Raises:
            CorruptFileError: A line has changed. (An incomplete last line is ignored.)
        """
        return self._ledger.records(self.has_digests())

    def has_digests(self) -> bool:
        """Whether the records have digests; a run of format 1 has none."""
        if self._ledger.checks.exists():
            return True
        try:
            return json.loads((self.path / "manifest.json").read_bytes()).get("format", 1) != 1
        except (OSError, ValueError, AttributeError):
            return True

    def line_checks(self) -> list[LineCheck]:
        """Return the digests of the records and of each round's files.

        Raises:
            CorruptFileError: A line has changed.
        """
        return self._ledger.line_checks()

    def files_of(self, round_: int, arm: str) -> dict[str, str] | None:
        """Return the digest of each file of a round by its name in `round_directory`; None in format 1.

        Raises:
            CorruptFileError: The digests themselves have changed.
        """
        if not self.has_digests():
            return None
        return self._ledger.check_of(round_, arm).files

    # -- files of a round

    def check_files(self, round_: int, arm: str, *below: str) -> None:
        """Refuse files of a finished round that have changed.

        Args:
            round_: Round number.
            arm: Name of the arm.
            below: Names of files and folders in its directory; those that the round does not have are
                skipped.

        Raises:
            CorruptFileError: A file is missing or differs.
        """
        digests = self.files_of(round_, arm)
        if digests is not None:
            names = [name for name in digests if name in below or name.partition("/")[0] in below]
            check_files(self.round_directory(round_, arm), digests, names)

    def round_directory(self, round_: int, arm: str) -> Path:
        """Return the folder of a finished round, with ``generator/``, ``verifier/`` and ``kept.npz``."""
        return self.path / f"round_{round_}" / arm

    def under_way(self, round_: int, arm: str) -> Path:
        """Return the folder of finished chunks of a round in progress, see `veriloop.loop.chunks`."""
        return self.path / f"round_{round_}" / f"{arm}{UNDER_WAY}"

    def kept(self, round_: int, arm: str) -> Samples:
        """Return the samples that a round kept, without provenance."""
        samples = self.kept_with_provenance(round_, arm)
        return samples.only([name for name in samples if name not in PROVENANCE])

    def kept_with_provenance(self, round_: int, arm: str) -> Samples:
        """Return the samples that a round kept, with the columns of :data:`PROVENANCE`."""
        self.check_files(round_, arm, "kept.npz")
        return Samples.load(self.round_directory(round_, arm) / "kept.npz")

    def rejected(self, round_: int, arm: str) -> Samples | None:
        """Return the candidates that a round did not keep, with `PROVENANCE` and the reason for each.

        None if the plan did not ask for them (``keep_rejected``).

        Raises:
            CorruptFileError: They cannot be read or have changed.
        """
        self.check_files(round_, arm, "rejected.npz")
        path = self.round_directory(round_, arm) / "rejected.npz"
        return Samples.load(path) if path.exists() else None

    def solved(self, round_: int, arm: str) -> Samples | None:
        """Return how often a round solved each of its prompts; None if unknown.

        Raises:
            CorruptFileError: The file cannot be read or has changed.
        """
        self.check_files(round_, arm, SOLVED)
        path = self.round_directory(round_, arm) / SOLVED
        return Samples.load(path) if path.is_file() else None

    def candidates(self, round_: int, arm: str) -> list[Samples]:
        """Return all candidates of a round with their verdicts, chunk by chunk; empty if not stored.

        Raises:
            CorruptFileError: They cannot be read or have changed.
        """
        self.check_files(round_, arm, CANDIDATES)
        directory = self.round_directory(round_, arm) / CANDIDATES
        return [Samples.load(path) for path in sorted(directory.glob("*.npz"))]

    def model(self, round_: int, arm: str) -> Path:
        """Return the checked folder of a round's model, as its learner saved it.

        Raises:
            RunFolderError: The run does not keep the model of this round.
            CorruptFileError: A file is missing or has changed.
        """
        path = self.round_directory(round_, arm) / "generator"
        cards = self.manifest().cards
        if not path.is_dir() and cards.keeps_models != "all":
            kept = sorted(k for name, k in cards.with_models(self.records()) if name == arm)
            rounds = " or ".join(map(str, kept))
            raise RunFolderError(
                f"the models of round {round_} of arm {arm!r} are not kept",
                got=f"keep_models {cards.keeps_models!r}",
                expected=f"the models of round {rounds}, or a run with keep_models: all",
            )
        self.check_files(round_, arm, "generator")
        return path

    def preview(self, round_: int, arm: str) -> Samples | None:
        """Return the first samples of a round's model, for viewing; None if there are none.

        Raises:
            CorruptFileError: They cannot be read or have changed.
        """
        path = self.round_directory(round_, arm) / "preview.npz"
        if not path.parent.is_dir():
            return None
        self.check_files(round_, arm, path.name)
        return Samples.load(path) if path.exists() else None

    def judged(self, round_: int, arm: str) -> Samples | None:
        """Return some candidates of a round with their verdicts; None if there are none.

        Raises:
            CorruptFileError: They cannot be read or have changed.
        """
        path = self.round_directory(round_, arm) / JUDGED
        if not path.exists():
            return None
        self.check_files(round_, arm, JUDGED)
        return Samples.load(path)

    def rows(self, round_: int, arm: str, name: str, split: Split) -> NDArray[np.float32] | None:
        """Return each row's contribution to ``name`` for a round's model, shape (n,); None if unknown.

        Raises:
            CorruptFileError: The rows cannot be read or have changed.
        """
        path = self.round_directory(round_, arm) / ROWS
        if not path.parent.is_dir():
            return None
        self.check_files(round_, arm, ROWS)
        return read_rows(path, split, name) if path.exists() else None

    def real(self) -> Samples | None:
        """Return some real samples to show next to generated ones; None if the run stored none.

        Raises:
            CorruptFileError: They cannot be read or have changed.
        """
        path = self.path / REAL
        expected = self.manifest().files.get(REAL)
        if expected is not None and (why := differs(path, expected)) is not None:
            raise CorruptFileError(f"{path} {why}", fix=RESTORE)
        return Samples.load(path) if path.exists() else None

    # -- results computed from finished rounds, and events

    def finding(self, path: Path) -> bytes:
        """Return what `write_finding` wrote to ``path``.

        Raises:
            CorruptFileError: It cannot be read or has changed.
        """
        try:
            content = path.read_bytes()
        except OSError as e:
            raise CorruptFileError(f"{path} cannot be read", got=e.strerror, fix=RESTORE) from e
        return unsealed(path, content) if has_seal(content) or self.has_digests() else content

    def events(self, start: int = 0) -> tuple[list[Event], int]:
        """Return the events from byte ``start`` on and the position after them, for following a live run."""
        path = self._events
        if not path.exists():
            return [], start
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        found = []
        for line in whole.splitlines():
            # Events are for display only; nothing is computed from them. Unreadable ones are skipped.
            with contextlib.suppress(ValidationError):
                found.append(EVENT.validate_json(line))
        return found, start + len(whole)

    def last_events(self) -> list[Event]:
        """Return the last events without reading the whole file; empty if there are none."""
        try:
            size = self._events.stat().st_size
        except FileNotFoundError:
            return []
        return self.events(max(0, size - LAST_BYTES))[0]

    def _measured(self) -> list[str]:
        """Return the names of everything the finished rounds measured."""
        return list(dict.fromkeys(name for record in self.records() for name in record.metrics))
