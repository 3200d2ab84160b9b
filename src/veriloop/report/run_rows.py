"""One row of a list of runs, as shown by ``list`` and the page."""

import hashlib
import json
import threading
from collections import OrderedDict
from functools import cached_property
from typing import Any, NamedTuple

from typing_extensions import override

from ..advise import audited, calibrated
from ..advise.paired import loss
from ..errors import CorruptFileError
from ..records import RoundRecord
from ..store.folder import BESIDE, RunFolder
from ..store.manifest import Manifest
from ..store.notes import NOTE, Note, note_of
from .answer import first_arm
from .overview import Overview, overview
from .standing import DIED, Standing, rounds_done, standing
from .summary import ArmSummary, by_arm, summarise

UNREADABLE = "unreadable"


class Course(NamedTuple):
    """The main quantity of the arm of interest.

    Attributes:
        arm: Name of the arm.
        quantity: Name of the quantity.
        title: Title of the quantity.
        start: Value of the start model, on the test data.
        best: Best value of all rounds; that of the start if no other is better.
        last: Value of the last finished round.
    """

    arm: str
    quantity: str
    title: str
    start: float
    best: float
    last: float


class RunRow(NamedTuple):
    """A run in one row.

    Attributes:
        path: Path of its folder, as given.
        name: Name of its folder.
        standing: Status; ``unreadable`` with the reason if it cannot be read.
        seed: Seed of the run.
        created: Time when it started, UTC, ISO 8601.
        rounds: Last round of its plan.
        done: Last round that all arms have finished.
        found: Main results.
        course: Main quantity; None if none is measured.
        summaries: Summary of each arm.
        note: People's note on it.
        group: Key that is equal for runs that differ only in their seed.
        version: Key that changes with the displayed content, except its age; empty if not requested.
    """

    path: str
    name: str
    standing: Standing
    seed: int | None = None
    created: str = ""
    rounds: int = 0
    done: int = 0
    found: Overview | None = None
    course: Course | None = None
    summaries: tuple[ArmSummary, ...] = ()
    note: Note = Note()
    group: str = ""
    version: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        about = {"path": self.path, "status": self.standing.status}
        if self.found is None:
            return {**about, "error": self.standing.line, "verdict": None, "ship": None}
        return {
            **about,
            "seed": self.seed,
            "created": self.created,
            "rounds": self.rounds,
            "done": self.done,
            "rounds_done": {s.arm: s.last.round for s in self.summaries},
            "result": {s.arm: s.sentence() for s in self.summaries},
            "course": self.course and {k: _or_none(v) for k, v in self.course._asdict().items()},
            "note": self.note.text,
            "tags": list(self.note.tags),
            **self.found._replace(standing=self.standing).to_json(),
        }


class Once(RunFolder):
    """A run folder whose manifest and records are read once, because many values of a row use them."""

    @cached_property
    def _manifest(self) -> Manifest:
        return super().manifest()

    @cached_property
    def _records(self) -> list[RoundRecord]:
        return super().records()

    @override
    def manifest(self) -> Manifest:
        return self._manifest

    @override
    def records(self) -> list[RoundRecord]:
        return list(self._records)


def run_row(folder: RunFolder, forecasts: bool = True) -> RunRow:
    """Return one run. An unreadable run becomes a row with the reason, so that it does not hide others.

    Args:
        folder: Run folder.
        forecasts: See `overview`; a list of hundreds of runs shows none.
    """
    folder = Once(folder.path)
    try:
        manifest, summaries, found = folder.manifest(), summarise(folder), overview(folder, forecasts)
        return RunRow(
            path=str(folder.path),
            name=folder.name,
            standing=found.standing,
            seed=manifest.seed,
            created=manifest.created,
            rounds=manifest.cards.rounds,
            done=rounds_done(folder, manifest),
            found=found,
            course=_course(folder),
            summaries=tuple(summaries),
            note=note_of(folder.path),
            group=_group(manifest),
        )
    except CorruptFileError as e:
        return RunRow(str(folder.path), folder.name, Standing(UNREADABLE, str(e)))


def _group(manifest: Manifest) -> str:
    config = {name: value for name, value in manifest.config.items() if name not in ("seed", *BESIDE)}
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:12]


def _course(folder: RunFolder) -> Course | None:
    cards = folder.manifest().cards
    chains = {a: c for a, c in by_arm(folder.records(), cards.arms).items() if a not in cards.bounds}
    if not chains:
        return None
    arm = first_arm(cards, chains)
    name = cards.ship.quantity or cards.headline_of(list(chains[arm][-1].metrics))
    measured = (
        [record.metrics[name].value for record in chains[arm] if name in record.metrics] if name else []
    )
    if name is None or not measured:
        return None
    quantity = cards.quantity(name)
    best = measured[-1]
    if quantity.better is not None:
        finite = [value for value in measured if value == value]
        best = min(finite, key=lambda value: loss(quantity, value), default=best)
    return Course(arm, name, quantity.title, measured[0], best, measured[-1])


def _or_none(value: Any) -> Any:
    return None if isinstance(value, float) and not abs(value) < float("inf") else value


def version_of(folder: RunFolder) -> str:
    """Return a key that changes whenever the run's records, manifest, results or notes do."""
    digest = hashlib.sha256()
    found = (
        path for name in (audited.FOLDER, calibrated.FOLDER) for path in (folder.path / name).glob("*.json")
    )
    for path in (*(folder.path / name for name in ("records.jsonl", "manifest.json", NOTE)), *sorted(found)):
        content = path.read_bytes() if path.exists() else b""
        digest.update(f"{len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


class Cached:
    """Cache of what was computed for runs, by `version_of`: an unchanged run costs only a digest.

    Args:
        most: Largest number of results kept, the latest ones.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: RunFolder, version: str, kind: str, make: Any) -> Any:
        """Return ``make()`` for this version of the run, cached."""
        key = str(folder.path), version, kind
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        made = make()
        with self._lock:
            self._known[key] = made
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made

    def knows(self, folder: RunFolder, version: str, kind: str) -> bool:
        """Whether `get` would compute nothing."""
        with self._lock:
            return (str(folder.path), version, kind) in self._known

    def row(self, folder: RunFolder) -> RunRow:
        """Return `run_row` without forecasts; the status is checked each time, as the run may die."""
        version = version_of(folder)
        row: RunRow = self.get(folder, version, "row", lambda: run_row(folder, forecasts=False))
        if row.standing.status in ("running", DIED):
            row = row._replace(standing=standing(folder))
        return row._replace(version=f"{version}-{row.standing.status}")
