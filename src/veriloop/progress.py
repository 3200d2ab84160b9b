"""Show a run's progress in one line that is overwritten, in a terminal or a notebook only."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any, Protocol

from .events import Event, Progress, RoundFinished, RowsProgress, StageStarted, TrainingProgress
from .loop.plan import Plan
from .loop.rounds import Listen
from .rng import START

OFTEN = 0.2
"""Least number of seconds between two updates, because a notebook keeps each one for a moment."""


class _Display(Protocol):
    """Something that shows a line of text."""

    def update(self, line: str, /) -> None:
        """Show ``line`` in place of the last one."""


class Line:
    """Builds the progress line from the events of a run and shows it.

    Args:
        plan: Plan of the run.
        display: Where to show the line.
    """

    def __init__(self, plan: Plan, display: _Display) -> None:
        self._display = display
        self._last = {arm: plan.last_round(arm) for arm in plan.arms}
        self._done = dict.fromkeys(plan.arms, 0)
        self._began, self._shown = time.monotonic(), 0.0
        self._now = "start"

    def __call__(self, event: Event) -> None:
        """Show the event, unless something was shown a moment ago."""
        match event:
            case RoundFinished():
                self._done[event.arm] = event.round
            case StageStarted():
                self._now = f"{self._who(event.arm, event.round)}: {event.stage}"
            case Progress() if event.wanted:
                share = min(event.accepted / event.wanted, 1)
                self._now = f"{self._who(event.arm, event.round)}: {share:.0%} of the samples to keep"
            case RowsProgress() | TrainingProgress() if event.of:
                share = event.done / event.of
                self._now = f"{self._who(event.arm, event.round)}: {event.stage} {share:.0%}"
            case _:
                return
        now = time.monotonic()
        if now - self._shown >= OFTEN:
            self._shown = now
            self._display.update(self.text(now - self._began))

    def text(self, seconds: float) -> str:
        """Return the line after ``seconds`` seconds."""
        done, of = sum(self._done.values()), sum(self._last.values())
        minutes, rest = divmod(int(seconds), 60)
        return f"{done} of {of} rounds done, {minutes}:{rest:02} | {self._now}"

    def _who(self, arm: str, round_: int) -> str:
        if arm == START or round_ == 0:
            return "start model"
        return f"{arm}, round {round_} of {self._last[arm]}"


@contextmanager
def progress(plan: Plan) -> Iterator[Listen | None]:
    """Show progress while the block runs a plan; the block's value takes the run's events.

    It is None if nobody would see it: outside a notebook, with standard error redirected.
    """
    if notebook := _notebook():
        handle = notebook.display({"text/plain": ""}, raw=True, display_id=True)
        try:
            yield Line(plan, _Cell(handle))
        finally:
            handle.update({"text/plain": ""}, raw=True)
        return
    with _status() if sys.stderr.isatty() else nullcontext() as status:
        yield None if status is None else Line(plan, status)


class _Cell:
    def __init__(self, handle: Any) -> None:
        self._handle = handle

    def update(self, line: str) -> None:
        """Show ``line`` in place of the last one."""
        self._handle.update({"text/plain": line}, raw=True)


def _notebook() -> Any:
    """Return ``IPython.display`` in a notebook, None elsewhere."""
    if "IPython" not in sys.modules:
        return None
    shell = import_module("IPython").get_ipython()
    return import_module("IPython.display") if hasattr(shell, "kernel") else None


def _status() -> Any:
    from rich.console import Console

    return Console(stderr=True).status("start")
