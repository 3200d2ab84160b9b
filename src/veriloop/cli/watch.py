"""How far a run is, as its events tell it."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..events import ArmStopped, Event, Progress, RoundFinished, StageStarted
from ..rng import START


@dataclass
class ArmWatch:
    """How far an arm is.

    Attributes:
        last_round: Where it ends.
        done: Its last finished round, -1 before the start model is there.
        stage: What it is doing; empty between rounds.
        progress: How far the making of candidates is, in a round that has begun it.
        stopped: Whether it has ended early.
    """

    last_round: int
    done: int = -1
    stage: str = ""
    progress: Progress | None = None
    stopped: bool = False

    @property
    def remaining(self) -> int:
        """How many rounds after the start model are still to come."""
        return 0 if self.stopped else self.last_round - max(self.done, 0)


class Watch:
    """Follows the events of a run.

    Args:
        last_rounds: The last round of each arm.
        done: The last round of each arm that had finished before.
    """

    def __init__(self, last_rounds: Mapping[str, int], done: Mapping[str, int]) -> None:
        self.arms = {arm: ArmWatch(last, done.get(arm, -1)) for arm, last in last_rounds.items()}
        self.start_stage = ""
        self._began: float | None = None
        self._latest = 0.0
        self._finished = 0

    def see(self, event: Event) -> None:
        """Take note of the next event."""
        match event:
            case StageStarted(arm=name) if name == START:
                self.start_stage = event.stage
            case StageStarted():
                # Time left is reckoned from whole rounds, so the start model's time must not count.
                self._began = self._began or event.at
                self.arms[event.arm].stage = event.stage
            case Progress():
                self.arms[event.arm].progress = event
            case RoundFinished():
                self.start_stage = ""
                arm = self.arms[event.arm]
                arm.done, arm.stage, arm.progress = event.round, "", None
                if event.round > 0:
                    self._finished += 1
                    self._latest = event.at
            case ArmStopped():
                arm = self.arms[event.arm]
                arm.stopped, arm.stage, arm.progress = True, "", None

    def seconds_left(self, now: float) -> float | None:
        """How long the rest will take if rounds go on at their mean pace; None before one has finished.

        Args:
            now: Seconds since 1970, like the times of events.
        """
        if self._began is None or self._finished == 0:
            return None
        pace = (self._latest - self._began) / self._finished
        remaining = sum(arm.remaining for arm in self.arms.values())
        return max(0.0, remaining * pace - (now - self._latest))
