"""Track the progress of a run from its events."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..events import (
    ArmStopped,
    Event,
    Progress,
    RoundFinished,
    RowsProgress,
    StageStarted,
    TrainingProgress,
)
from ..rng import START

Working = RowsProgress | TrainingProgress


@dataclass
class ArmWatch:
    """Progress of an arm.

    Attributes:
        last_round: Last planned round.
        done: Last finished round; -1 before the start model is finished.
        stage: Current stage; empty between rounds.
        progress: Progress in making candidates, in a round that has started it.
        working: Progress of current calls, by chunk, or None for a call without a chunk.
        stopped: Whether it ended early.
    """

    last_round: int
    done: int = -1
    stage: str = ""
    progress: Progress | None = None
    working: dict[int | None, Working] = field(default_factory=dict)
    stopped: bool = False

    @property
    def remaining(self) -> int:
        """Number of rounds after the start model that are left."""
        return 0 if self.stopped else self.last_round - max(self.done, 0)

    def work(self, event: Working) -> None:
        """Record the progress of a call."""
        chunk = event.chunk if isinstance(event, RowsProgress) else None
        self.working[chunk] = event
        if event.done == event.of:
            del self.working[chunk]


class Watch:
    """Follows the events of a run.

    Args:
        last_rounds: Last round of each arm.
        done: Last round of each arm that had finished before.
    """

    def __init__(self, last_rounds: Mapping[str, int], done: Mapping[str, int]) -> None:
        self.arms: dict[str, ArmWatch] = {
            arm: ArmWatch(last, done.get(arm, -1)) for arm, last in last_rounds.items()
        }
        self.start_stage: str = ""
        self.start_working: Working | None = None
        self._began: float | None = None
        self._latest = 0.0
        self._finished = 0

    def see(self, event: Event) -> None:
        """Record the next event."""
        match event:
            case StageStarted(arm=name) if name == START:
                self.start_stage, self.start_working = event.stage, None
            case RowsProgress(arm=name) | TrainingProgress(arm=name) if name == START:
                self.start_working = event
            case RowsProgress() | TrainingProgress():
                self.arms[event.arm].work(event)
            case StageStarted():
                # The time left is computed from whole rounds, so the start model's time must not count.
                self._began = self._began or event.at
                self.arms[event.arm].stage = event.stage
                self.arms[event.arm].working.clear()
            case Progress():
                self.arms[event.arm].progress = event
            case RoundFinished():
                self.start_stage = ""
                arm = self.arms[event.arm]
                arm.done, arm.stage, arm.progress = event.round, "", None
                arm.working.clear()
                if event.round > 0:
                    self._finished += 1
                    self._latest = event.at
            case ArmStopped():
                arm = self.arms[event.arm]
                arm.stopped, arm.stage, arm.progress = True, "", None
                arm.working.clear()

    def seconds_left(self, now: float) -> float | None:
        """Return the remaining time if rounds continue at their mean pace; None before one has finished.

        Args:
            now: Seconds since 1970, like the times of events.
        """
        if self._began is None or self._finished == 0:
            return None
        pace = (self._latest - self._began) / self._finished
        remaining = sum(arm.remaining for arm in self.arms.values())
        return max(0.0, remaining * pace - (now - self._latest))
