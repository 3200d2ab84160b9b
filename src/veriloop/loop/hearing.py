"""Turn progress reports of a stage's calls into events, and summarise each training."""

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from ..advance import Report, RowsDone, StepDone
from ..events import Event, RowsProgress, TrainingProgress
from ..records import Trained

QUICK = 0.5
"""Seconds before a call is reported, and the least time between two events."""

SELDOM = 0.05
"""The pause between events grows with elapsed time by this share, so long calls write few events."""

LONGEST_PAUSE = 30.0
"""Longest pause in seconds between two events of a call that reports progress."""


class Hearing:
    """Listens to the calls of one stage, for `veriloop.advance.heard_by`.

    Args:
        emit: Called with each event.
        arm: Name of the arm.
        round_: Round number.
        stage: Name of the stage.
        chunk: Number of the chunk, if the stage works on one.
    """

    def __init__(
        self, emit: Callable[[Event], None], arm: str, round_: int, stage: str, chunk: int | None = None
    ) -> None:
        self._emit, self._arm, self._round, self._stage, self._chunk = emit, arm, round_, stage, chunk
        self._call: tuple[type, int] | None = None
        self._began = self._last = 0.0
        self._losses: list[float] = []
        self._norms: list[float] = []
        self._steps = self._tokens = self._done = 0

    def __call__(self, how_far: Report) -> None:
        """Handle a report."""
        now = time.monotonic()
        if self._call != (type(how_far), how_far.of) or how_far.done < self._done:
            # A stage makes several calls; each is timed separately.
            self._call, self._began, self._last = (type(how_far), how_far.of), now, now
        self._done = how_far.done
        if isinstance(how_far, StepDone):
            self._note(how_far)
        seconds = now - self._began
        pause = min(max(QUICK, SELDOM * seconds), LONGEST_PAUSE)
        if now - self._last >= pause or (how_far.done == how_far.of and self._last > self._began):
            self._last = now
            self._emit(self._event(how_far, seconds))

    def _note(self, step: StepDone) -> None:
        self._steps, self._tokens = step.done, step.tokens
        if step.loss is not None:
            self._losses.append(step.loss)
        if step.gradient_norm is not None:
            self._norms.append(step.gradient_norm)

    def _event(self, how_far: Report, seconds: float) -> Event:
        if isinstance(how_far, RowsDone):
            return RowsProgress(
                arm=self._arm,
                round=self._round,
                stage=self._stage,
                chunk=self._chunk,
                **how_far._asdict(),
                seconds=seconds,
            )
        # The loss of a single step is noisy or unknown, so average the latest few.
        latest = {"loss": _mean(self._losses[-10:]), "gradient_norm": _mean(self._norms[-10:])}
        return TrainingProgress(
            arm=self._arm,
            round=self._round,
            stage=self._stage,
            **{**how_far._asdict(), **latest},
            seconds=seconds,
        )

    def trained(self) -> Trained | None:
        """Summary of the training; None if there was none."""
        if not self._steps:
            return None
        few = math.ceil(len(self._losses) / 10)
        return Trained(
            steps=self._steps,
            loss_first=_or_nan(_mean(self._losses[:few])),
            loss_last=_or_nan(_mean(self._losses[-few:] if few else [])),
            gradient_norm=_or_nan(_mean(self._norms)),
        )

    @property
    def tokens(self) -> int:
        """Number of tokens trained on."""
        return self._tokens


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
