"""The run folder: everything a run writes to disk, never half-written.

A round counts once its line is in ``records.jsonl``. Its files are written under ``.work``, renamed into
place and made durable before that line is appended, so a kill loses at most the round in progress.
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
from typing import Any

from ..errors import RunFolderError, RunLockedError
from ..events import Event
from ..nested import on_one_line
from ..records import RoundRecord
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
from .digests import sealed, settle, sha256
from .heartbeat import LOCK, beat, beating, name_of
from .manifest import FORMAT, Manifest, Status, config_difference
from .reader import MODELS, REAL, RunReader

BESIDE = ("executor", "tracker", "notify")
"""Settings of a plan that do not affect results."""


class RunFolder(RunReader):
    """Reads and writes the folder of one run.

    Only the holder of :meth:`lock` may write, except with :meth:`emit`, which any process of the run may
    call.
    """

    # -- manifest

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

    # -- rounds

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

    # -- results computed from finished rounds

    def write_finding(self, path: Path, content: bytes) -> None:
        """Write a JSON object to ``path`` in this folder, sealed so that `finding` detects changes.

        Raises:
            StorageError: It could not be written.
        """
        with storage_errors(path):
            make_directory(path.parent)
        write_file(path, sealed(content))

    # -- events

    def emit(self, event: Event) -> None:
        """Append an event."""
        append_line(self._events, on_one_line(event.model_dump_json()), durable=False)

    # -- one writer at a time

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
        self._ledger.repair(finished)
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
