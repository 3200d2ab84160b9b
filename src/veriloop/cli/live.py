"""Live progress on stderr: a small table on a terminal, plain lines elsewhere, nothing with ``--json``."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ..events import (
    ArmStopped,
    DuplicatesLeftOut,
    Event,
    Exhausted,
    HeldOutSeen,
    PromptsCut,
    RoundFinished,
    RowsLeftOut,
    RowsProgress,
    SettingsChosen,
    TrackerFailed,
    TrainingProgress,
    VerifierSilent,
    WorkerLost,
)
from ..records import RoundRecord
from ..report.names import duration, how_far, how_trained, why_abstained, with_error
from ..rng import START
from ..store.folder import RunFolder
from .output import data_line, example_line, new_table, silent_line
from .polling import polled
from .watch import ArmWatch, Watch, Working

if TYPE_CHECKING:
    from ..loop import Plan

SILENCE = 30.0
"""Seconds without a line after which one shows the progress of the current call."""


@contextmanager
def progress(folder: RunFolder, plan: "Plan", *, json: bool, plain: bool) -> Iterator[None]:
    """Show the progress of the run in ``folder`` on stderr while the block runs it.

    The folder's events are followed instead of a callback, because worker processes write there, too.
    """
    if json:
        yield
        return
    done: dict[str, int] = {}
    for record in folder.records():
        done[record.arm] = max(record.round, done.get(record.arm, 0))
    watch = Watch({arm: plan.last_round(arm) for arm in plan.arms}, done)
    if sys.stderr.isatty() and not plain:
        live = Live(console=Console(stderr=True), auto_refresh=False, transient=True)
        with live, _following(folder, watch, Board(folder, watch, live)):
            yield
    else:
        with _following(folder, watch, Lines(folder, watch, sys.stderr)):
            yield


class View(Protocol):
    """Shows a `Watch` to a person."""

    def show(self, events: list[Event]) -> None:
        """Show the given events, possibly none; called a few times per second."""
        ...


class Lines:
    """Prints a line for each finished round; each line starts with ``prefix``."""

    def __init__(self, folder: RunFolder, watch: Watch, file: TextIO, prefix: str = "") -> None:
        self._folder, self._watch, self._file, self._prefix = folder, watch, file, prefix
        self._started = any(arm.done >= 0 for arm in watch.arms.values())
        self._latest: float | None = None

    def show(self, events: list[Event]) -> None:
        """Print lines for these events."""
        for event in events:
            self._latest = self._latest or event.at
            for line in (self._line(event) or "").splitlines():
                print(f"{self._prefix}{line}", file=self._file, flush=True)
                self._latest = event.at

    def _line(self, event: Event) -> str | None:
        match event:
            case RoundFinished(round=0):
                # All arms share round 0, so report it once.
                first, self._started = not self._started, True
                if not first:
                    return None
                return f"start model done{self._measured(event)}{self._trained(event)}"
            case RoundFinished():
                last = self._watch.arms[event.arm].last_round
                done = f"{event.arm} round {event.round}/{last} done"
                shown = f"{done}{self._measured(event)}{self._trained(event)}{self._left()}"
                record = _find(self._folder, event.arm, event.round)
                why = why_abstained(record) if record else ""
                return f"{shown}; {why}" if why else shown
            case RowsProgress() | TrainingProgress() if event.at - (self._latest or 0) >= SILENCE:
                who = "start model" if event.arm == START else f"{event.arm} round {event.round}"
                return f"{who}: {event.stage} {how_far(event)}"
            case Exhausted():
                return f"{event.arm} round {event.round}: kept {event.kept:,} of {event.wanted:,} wanted"
            case VerifierSilent():
                return "\n".join([silent_line(event), *map(example_line, event.examples)])
            case PromptsCut() | DuplicatesLeftOut() | RowsLeftOut() | HeldOutSeen():
                return data_line(event)
            case SettingsChosen():
                chosen = ", ".join(f"{name} {value}" for name, value in event.settings.items())
                return f"chosen on this machine: {chosen} ({event.why})"
            case ArmStopped():
                return f"{event.arm} ended early: {event.reason}"
            case WorkerLost():
                return f"{event.what}; retrying ({event.try_})"
            case TrackerFailed():
                return f"tracker {event.tracker} gets no more rounds: {event.reason}"
        return None

    def _measured(self, event: RoundFinished) -> str:
        measured = _headline_of(self._folder, event.arm, event.round)
        return f": {measured}" if measured else ""

    def _trained(self, event: RoundFinished) -> str:
        record = _find(self._folder, event.arm, event.round)
        trained = how_trained(record) if record else ""
        return f"; {trained}" if trained else ""

    def _left(self) -> str:
        left = self._watch.seconds_left(time.time())
        return f" (about {duration(left)} left)" if left and left >= 1 else ""


class Board:
    """A table that is redrawn: a row for each arm, and the time left."""

    def __init__(self, folder: RunFolder, watch: Watch, live: Live) -> None:
        self._folder, self._watch, self._live = folder, watch, live
        self._measured: dict[str, str] = {}
        self._silent: dict[str, VerifierSilent] = {}
        self._began = time.time()

    def show(self, events: list[Event]) -> None:
        """Redraw the table."""
        for event in events:
            if isinstance(event, RoundFinished):
                self._measured[event.arm] = _headline_of(self._folder, event.arm, event.round)
            elif isinstance(event, VerifierSilent):
                self._silent[event.arm] = event
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> Group:
        table = new_table()
        for heading in ("arm", "round", "", "doing", "latest"):
            table.add_column(heading)
        for name, arm in self._watch.arms.items():
            shown = f"{max(arm.done, 0)}/{arm.last_round}"
            table.add_row(name, shown, _bar(arm), self._doing(arm), self._measured.get(name, ""))
        now = time.time()
        left = self._watch.seconds_left(now)
        rest = "" if left is None else f", about {duration(left)} left"
        # The latest one for each arm, with an example, because the table must fit on the screen.
        signs = [
            Text("\n".join([silent_line(event), *map(example_line, event.examples[:1])]), style="yellow")
            for event in self._silent.values()
        ]
        return Group(table, *signs, Text(f"{duration(now - self._began)} so far{rest}", style="dim"))

    def _doing(self, arm: ArmWatch) -> str:
        if arm.stopped:
            return "ended early"
        if arm.done == arm.last_round:
            return "done"
        if arm.done < 0:
            stage, working = self._watch.start_stage, self._watch.start_working
            return f"start model: {_stage(stage, [working] if working else [])}" if stage else ""
        if arm.progress and arm.stage == "generate":
            made = arm.progress
            done = f"accepted {made.accepted:,}/{made.wanted:,} of {made.generated:,}"
            return "\n".join([done, *map(_words, arm.working.values())])
        return _stage(arm.stage, list(arm.working.values()))


def _stage(stage: str, working: Sequence[Working]) -> str:
    if len(working) == 1 and working[0].stage == stage:
        return f"{stage} {how_far(working[0])}"
    return "\n".join([stage, *map(_words, working)])


def _words(event: Working) -> str:
    return f"{event.stage} {how_far(event)}"


def _bar(arm: ArmWatch) -> Text:
    width = 16
    full = round(width * max(arm.done, 0) / arm.last_round)
    return Text.assemble(("━" * full, "green"), ("─" * (width - full), "dim"))


@contextmanager
def _following(folder: RunFolder, watch: Watch, view: View) -> Iterator[None]:
    _, position = folder.events()

    def look() -> None:
        """Read the events since the last look, and show them."""
        nonlocal position
        events, position = folder.events(position)
        for event in events:
            watch.see(event)
        view.show(events)

    with polled(look):
        yield


def _find(folder: RunFolder, arm: str, round_: int) -> RoundRecord | None:
    return next((r for r in folder.records() if (r.arm, r.round) == (arm, round_)), None)


def _headline_of(folder: RunFolder, arm: str, round_: int) -> str:
    record = _find(folder, arm, round_)
    name = folder.manifest().cards.headline_of(list(record.metrics)) if record else None
    return f"{name} {with_error(record.metrics[name])}" if record and name else ""
