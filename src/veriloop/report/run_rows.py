"""One line of a list of runs, as ``list`` and the page both show it."""

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
    """The main quantity of the arm that people ask about.

    Attributes:
        arm: That arm.
        quantity: The quantity's name.
        title: What people call it.
        start: Its value of the start model, on the test data.
        best: The best one of all rounds; that of the start where no other is better.
        last: That of the last finished round.
    """

    arm: str
    quantity: str
    title: str
    start: float
    best: float
    last: float


class RunRow(NamedTuple):
    """A run in one line.

    Attributes:
        path: Of its folder, as it was given.
        name: The folder's own name.
        standing: How it stands; ``unreadable`` with the reason where it cannot be read.
        seed: Its seed.
        created: When it began, UTC, ISO 8601.
        rounds: The last round of its plan.
        done: The last round that all arms have finished.
        found: What it says, first of all.
        course: Its main quantity; None where none is measured.
        summaries: Of each arm.
        note: What people wrote about it.
        group: Equal for runs that differ by seed only.
        version: Changes with what is shown of the run, but for its age; empty where nobody asked.
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
        """As plain values for JSON."""
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


class _Once(RunFolder):
    """A run folder of which manifest and records are read once: many numbers of a row follow from them."""

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
    """One run. An unreadable one is a row that says so: it must not hide the others.

    Args:
        folder: The run's.
        forecasts: See `overview`; a list of hundreds of runs shows none.
    """
    folder = _Once(folder.path)
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
    """Changes whenever the run's records, its manifest, or what was found or written about it do."""
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
    """What was computed of runs, kept by their `version_of`: a run that has not changed costs a digest.

    Args:
        most: How many results are kept, the latest ones.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[tuple[str, str, str], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, folder: RunFolder, version: str, kind: str, make: Any) -> Any:
        """What ``make()`` gives, of this version of the run."""
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

    def row(self, folder: RunFolder) -> RunRow:
        """`run_row` without forecasts; how the run stands is looked at each time, as it may die."""
        version = version_of(folder)
        row: RunRow = self.get(folder, version, "row", lambda: run_row(folder, forecasts=False))
        if row.standing.status in ("running", DIED):
            row = row._replace(standing=standing(folder))
        return row._replace(version=f"{version}-{row.standing.status}")
