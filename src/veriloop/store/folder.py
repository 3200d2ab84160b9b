"""The run folder: everything a run writes to disk, never half-written.

A round counts once its line is in ``records.jsonl``. Its files are written under ``.work``, renamed into
place and made durable before that line is appended, so a kill loses at most the round in progress. Everything
read is checked against its digest, see `veriloop.store.digests`.
"""

import contextlib
import fcntl
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from ..errors import CorruptFileError, RunFolderError, RunLockedError
from ..events import EVENT, Event
from ..nested import on_one_line
from ..records import RoundRecord, Split
from ..samples import Samples
from .atomic import (
    append_line,
    drop_torn_line,
    make_directory,
    place_directory,
    remove_asides,
    storage_errors,
    sync,
    write_file,
)
from .chunks import UNDER_WAY
from .digests import (
    RESTORE,
    LineCheck,
    check_files,
    differs,
    has_seal,
    sealed,
    settle,
    sha256,
    unsealed,
)
from .format_1 import migrated
from .heartbeat import LOCK, beat, beating, name_of
from .ledger import Ledger, first_line
from .manifest import FORMAT, Format, Manifest, Status, config_difference
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

BESIDE = ("executor", "tracker", "notify")
"""Settings of a plan that do not affect results."""


class RunFolder:
    """Reads and writes the folder of one run.

    Reading needs no lock and is safe while a run is writing. Only the holder of :meth:`lock` may write,
    except with :meth:`emit`, which any process of the run may call.
    """

    def __init__(self, path: Path) -> None:
        self.path: Path = Path(path)
        self._events, self._ledger = self.path / "events.jsonl", Ledger(self.path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
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

    # -- manifest ------------------------------------------------------------------------------------

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

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest in one step."""
        with storage_errors(self.path):
            make_directory(self.path)
        write_file(self.path / "manifest.json", sealed(manifest.model_dump_json(indent=2).encode()))

    def set_status(self, status: Status, reason: str | None = None) -> None:
        """Record the status of the run."""
        self.write_manifest(self.manifest().model_copy(update={"status": status, "reason": reason}))

    def set_arm_stopped(self, arm: str, reason: str) -> None:
        """Record that an arm ended early."""
        manifest = self.manifest()
        stopped = {**manifest.stopped_arms, arm: reason}
        self.write_manifest(manifest.model_copy(update={"stopped_arms": stopped}))

    def check_format(self) -> None:
        """Refuse to compute anything from a run that an earlier version started.

        Raises:
            RunFolderError: An earlier version started it, and today's code would make other candidates.
        """
        manifest = self.manifest()
        if manifest.format != FORMAT:
            raise RunFolderError(
                f"the run in {self.path} was started by an earlier version and cannot be continued",
                got=f"format {manifest.format}",
                expected=f"format {FORMAT}",
                fix="start a new run in another --out; this one can still be viewed, reported and exported",
            )

    def check_same_config(
        self,
        config: dict[str, Any],
        read: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> None:
        """Refuse to continue with another configuration; only settings in `BESIDE` may differ.

        Args:
            config: Configuration to continue with.
            read: The folder's configuration as current parts read it, when parts may have settings that did
                not exist when the run started.

        Raises:
            RunFolderError: The configurations differ, and the message shows where; or an earlier version
                started the run.
        """
        self.check_format()
        old, new = dict(read(self.manifest().config)), dict(config)
        for name in BESIDE:
            old.pop(name, None)
            new.pop(name, None)
        difference = config_difference(old, json.loads(json.dumps(new)))
        if difference:
            shown = "; ".join(difference[:5]) + ("; ..." if len(difference) > 5 else "")
            raise RunFolderError(
                f"the run in {self.path} has another configuration ({shown})",
                fix="use another --out, or resume it as it is with: veriloop resume DIR",
            )

    def _measured(self) -> list[str]:
        """Return the names of everything the finished rounds measured."""
        return list(dict.fromkeys(name for record in self.records() for name in record.metrics))

    # -- rounds ----------------------------------------------------------------------------------------

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

    def write_real(self, real: Samples) -> None:
        """Store the samples that `real` returns."""
        content = real.to_bytes()
        write_file(self.path / REAL, content)
        manifest = self.manifest()
        self.write_manifest(manifest.model_copy(update={"files": {**manifest.files, REAL: sha256(content)}}))

    def work_directory(self, round_: int, arm: str) -> Path:
        """Return an empty directory for a round's files, to use before :meth:`commit`."""
        # Not named by process id, because two machines of a cluster may share one.
        path = self.path / ".work" / f"round_{round_}-{arm}-{uuid.uuid4().hex}"
        with storage_errors(path):
            path.mkdir(parents=True)
        return path

    def under_way(self, round_: int, arm: str) -> Path:
        """Return the folder of finished chunks of a round in progress, see `veriloop.loop.chunks`."""
        return self.path / f"round_{round_}" / f"{arm}{UNDER_WAY}"

    def remove_models(self, round_: int, arm: str) -> None:
        """Remove the models of a round that should not be kept; never the start model."""
        for name in MODELS if round_ > 0 else ():
            shutil.rmtree(self.round_directory(round_, arm) / name, ignore_errors=True)

    def commit(self, record: RoundRecord, work: Path) -> None:
        """Make a round count: put its files in place, then append its line.

        Raises:
            StorageError: Something could not be written; the round does not count.
        """
        directory = self.round_directory(record.round, record.arm)
        place_directory(work, directory)
        with storage_errors(directory):
            files = settle(directory)
            if record.round == 0:
                self._share_start(directory, files)
        self._ledger.append(record, files)
        if (under_way := self.under_way(record.round, record.arm)).is_dir():
            shutil.rmtree(under_way, ignore_errors=True)

    # -- results computed from finished rounds ---------------------------------------------------------

    def write_finding(self, path: Path, content: bytes) -> None:
        """Write a JSON object to ``path`` in this folder, sealed so that `finding` detects changes.

        Raises:
            StorageError: It could not be written.
        """
        with storage_errors(path):
            make_directory(path.parent)
        write_file(path, sealed(content))

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

    # -- events ----------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Append an event."""
        append_line(self._events, on_one_line(event.model_dump_json()), durable=False)

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

    # -- one writer at a time ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the write lock of this folder. It is released when the process ends, even by kill -9.

        Raises:
            RunLockedError: Another process holds it; the message names that process.
        """
        with storage_errors(self.path):
            make_directory(self.path)
            handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _locked(handle):
                raise RunLockedError(
                    f"another process is writing to {self.path} ({name_of(handle) or 'unknown'})",
                    fix="wait for it to end, or stop it",
                )
            with storage_errors(self.path):
                beat(handle)
            with beating(handle):
                self._clear_leftovers()
                yield
        finally:
            os.close(handle)

    def _share_start(self, directory: Path, files: dict[str, str]) -> None:
        """Link the start model's files to those of another arm, if the file system allows it."""
        checks = self.line_checks()
        other = next((c.place for c in checks if c.place.startswith("round_0/") and c.files == files), None)
        for name in files if other else ():
            aside = directory / f"{name}.link"
            with contextlib.suppress(OSError):
                os.link(f"{self.path}/{other}/{name}", aside)
                aside.replace(directory / name)
                sync(aside.parent)

    def clear_unfinished(self) -> None:
        """Remove everything that belongs to no finished round; the caller holds the lock."""
        shutil.rmtree(self.path / ".work", ignore_errors=True)
        for path in self.path.glob(f"round_*/*{UNDER_WAY}"):
            shutil.rmtree(path, ignore_errors=True)
            with contextlib.suppress(OSError):
                path.parent.rmdir()

    def _clear_leftovers(self) -> None:
        """Remove what a killed process left behind; the caller holds the lock.

        Raises:
            CorruptFileError: Lines are missing from the records.
        """
        shutil.rmtree(self.path / ".work", ignore_errors=True)
        drop_torn_line(self._events)
        with storage_errors(self.path):
            remove_asides(self.path)
            for inner in self.path.iterdir():
                if inner.is_dir() and not inner.name.startswith("round_"):
                    remove_asides(inner)
        finished = self.exists() and self.manifest().status == "finished"
        self._ledger.mend(finished)
        if any(self.path.glob(f"round_*/*{UNDER_WAY}")):
            for record in self.records():
                shutil.rmtree(self.under_way(record.round, record.arm), ignore_errors=True)


def _locked(handle: int) -> bool:
    """Take the lock, with retries: a process that only checks the lock also holds it for a moment."""
    for pause in (0.01, 0.05, 0.2, 0.0):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            return True
    return False
