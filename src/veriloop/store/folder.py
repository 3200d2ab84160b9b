"""The run folder: what a run leaves on disk, never half-written.

A round counts when its line is in ``records.jsonl``. Everything it leaves is written aside under
``.work`` and renamed into place before that line is appended, so a kill loses at most the running round.
"""

import codecs
import contextlib
import fcntl
import json
import os
import shutil
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from ..errors import CorruptFileError, RunFolderError, RunLockedError
from ..events import EVENT, Event
from ..records import RoundRecord
from ..samples import Samples
from .atomic import append_line, drop_torn_line, publish_directory, storage_errors, write_file
from .format_1 import migrated
from .manifest import FORMAT, Format, Manifest, Status, config_difference

PROVENANCE = ("_chunk", "_row", "_score")
"""Columns beside the data in a file of kept samples: where a sample was generated, and its score."""


class RunFolder:
    """Reads and writes one run's folder.

    Reading needs no lock and is safe while a run is writing. Writing belongs to whoever holds
    :meth:`lock`, except for :meth:`emit`, which any process of the run may call.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._events, self._records = self.path / "events.jsonl", self.path / "records.jsonl"

    @classmethod
    def open(cls, path: Path) -> "RunFolder":
        """An existing run folder.

        Raises:
            RunFolderError: There is none at ``path``.
        """
        folder = cls(path)
        if not folder.exists():
            what = "this folder holds no run" if folder.path.is_dir() else "no such run folder"
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
        """The folder's own name, also where it is given as ``.``; a link's own, not its target's."""
        return self.path.absolute().name

    # -- what a run is -------------------------------------------------------------------------------

    def manifest(self) -> Manifest:
        """The run's manifest.

        Raises:
            CorruptFileError: ``manifest.json`` cannot be read.
        """
        path = self.path / "manifest.json"
        try:
            content = json.loads(path.read_bytes())
            written_in = content.get("format", 1) if isinstance(content, dict) else FORMAT
            if written_in == 1:
                content = migrated(content, self._measured())
            elif written_in not in get_args(Format):
                raise CorruptFileError(
                    f"{path} is of a later version", got=f"format {written_in}", fix="update veriloop"
                )
            return Manifest.model_validate(content)
        except (OSError, ValueError) as e:
            raise CorruptFileError(
                f"{path} cannot be read", got=_first_line(e), fix="restore the file, or start in a new folder"
            ) from e

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest in one step."""
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        write_file(self.path / "manifest.json", manifest.model_dump_json(indent=2).encode() + b"\n")

    def set_status(self, status: Status, reason: str | None = None) -> None:
        """Record how the run stands."""
        self.write_manifest(self.manifest().model_copy(update={"status": status, "reason": reason}))

    def set_arm_stopped(self, arm: str, reason: str) -> None:
        """Record that an arm has ended early."""
        manifest = self.manifest()
        stopped = {**manifest.stopped_arms, arm: reason}
        self.write_manifest(manifest.model_copy(update={"stopped_arms": stopped}))

    def check_format(self) -> None:
        """Refuse to compute anything from a run that an earlier version began.

        Raises:
            RunFolderError: One did: today's code would not make the same candidates.
        """
        manifest = self.manifest()
        if manifest.format != FORMAT:
            raise RunFolderError(
                f"the run in {self.path} was begun by an earlier version and cannot be continued bit for bit",
                got=f"format {manifest.format}",
                expected=f"format {FORMAT}",
                fix="start it anew in another --out; this one can still be looked at, reported and exported",
            )

    def check_same_config(
        self,
        config: dict[str, Any],
        read: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> None:
        """Refuse to continue with another configuration; only the executor may differ.

        Args:
            config: What to continue with.
            read: What the folder's own configuration means today, when parts may have settings that they
                had not when the run began.

        Raises:
            RunFolderError: The configurations differ, and the message shows where; or the run was begun by an
                earlier version.
        """
        self.check_format()
        old, new = dict(read(self.manifest().config)), dict(config)
        old.pop("executor", None)
        new.pop("executor", None)
        difference = config_difference(old, json.loads(json.dumps(new)))
        if difference:
            shown = "; ".join(difference[:5]) + ("; ..." if len(difference) > 5 else "")
            raise RunFolderError(
                f"the run in {self.path} has another configuration ({shown})",
                fix="use another --out, or resume it as it is with: veriloop resume DIR",
            )

    def _measured(self) -> list[str]:
        """The names of all that the finished rounds measured."""
        return list(dict.fromkeys(name for record in self.records() for name in record.metrics))

    # -- rounds ----------------------------------------------------------------------------------------

    def records(self) -> list[RoundRecord]:
        """The finished rounds, in the order in which they finished.

        Raises:
            CorruptFileError: A line cannot be read. (A last line without its end does not count.)
        """
        path = self._records
        if not path.exists():
            return []
        # An editor may have put a byte order mark before the first line.
        *lines, _ = path.read_bytes().removeprefix(codecs.BOM_UTF8).split(b"\n")
        records = []
        for number, line in enumerate(lines, 1):
            try:
                records.append(RoundRecord.model_validate_json(line))
            except ValidationError as e:
                raise CorruptFileError(
                    f"{path}, line {number}, is not a record",
                    got=_first_line(e),
                    fix="restore the file; deleting this line and those after it loses their rounds only",
                ) from e
        return records

    def round_directory(self, round_: int, arm: str) -> Path:
        """Where a finished round of an arm lies: its ``generator/``, ``verifier/`` and ``kept.npz``."""
        return self.path / f"round_{round_}" / arm

    def kept(self, round_: int, arm: str) -> Samples:
        """The samples that a round kept, without provenance."""
        samples = self.kept_with_provenance(round_, arm)
        return samples.only([name for name in samples if name not in PROVENANCE])

    def kept_with_provenance(self, round_: int, arm: str) -> Samples:
        """The samples that a round kept, with the columns of :data:`PROVENANCE`."""
        return Samples.load(self.round_directory(round_, arm) / "kept.npz")

    def work_directory(self, round_: int, arm: str) -> Path:
        """An empty place to write a round's files aside, before :meth:`commit`."""
        # A name of its own, not one made of a process id: on a cluster two machines may share those.
        path = self.path / ".work" / f"round_{round_}-{arm}-{uuid.uuid4().hex}"
        with storage_errors(path):
            path.mkdir(parents=True)
        return path

    def commit(self, record: RoundRecord, work: Path) -> None:
        """Make a round count: put its files in place, then append its line.

        Raises:
            StorageError: Something could not be written; the round does not count.
        """
        publish_directory(work, self.round_directory(record.round, record.arm))
        append_line(self._records, record.model_dump_json())

    # -- events ----------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Append an event."""
        append_line(self._events, event.model_dump_json(), durable=False)

    def events(self, start: int = 0) -> tuple[list[Event], int]:
        """The events from byte ``start`` on, and where the next ones will begin; to follow a live run."""
        path = self._events
        if not path.exists():
            return [], start
        with path.open("rb") as file:
            file.seek(start)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        found = []
        for line in whole.splitlines():
            # Events are for watchers; nothing is computed from them. One that cannot be read is passed over.
            with contextlib.suppress(ValidationError):
                found.append(EVENT.validate_json(line))
        return found, start + len(whole)

    # -- one writer at a time ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one process that writes to this folder. The lock dies with its process, kill -9 or not.

        Raises:
            RunLockedError: Another process holds it; the message says which.
        """
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
                raise RunLockedError(
                    f"another process is writing to {self.path} ({holder or 'unknown'})",
                    fix="wait for it to end, or stop it",
                ) from None
            with storage_errors(self.path):
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            self._clear_leftovers()
            yield
        finally:
            os.close(handle)

    def _clear_leftovers(self) -> None:
        shutil.rmtree(self.path / ".work", ignore_errors=True)
        for path in (self._records, self._events):
            drop_torn_line(path)


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'content'}: {first['msg']}"
    return str(error).splitlines()[0]
