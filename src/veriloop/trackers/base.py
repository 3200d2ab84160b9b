"""The family of trackers: what shows the rounds of a run elsewhere."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import StringConstraints

from ..parts import Part
from ..records import RoundRecord

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w. -]+$")]

MARK = "trained_on"
"""The number that every round has: where it is there, the round is there."""


class RunInfo(NamedTuple):
    """What a tracker is told of a run, once.

    Attributes:
        key: Tells runs apart; the same when the run is resumed.
        name: For people.
        settings: The plan, one plain value for each path, such as ``learner.epochs``.
    """

    key: str
    name: str
    settings: Mapping[str, Any]


class Tracking(ABC):
    """A tracker's own run, open to be written to. One thread uses it."""

    @abstractmethod
    def logged(self) -> set[tuple[str, int]]:
        """The arms and rounds that it holds."""

    @abstractmethod
    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Take the ``numbers`` of one arm after round ``step``."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Write what is still to be written; ``status`` is the run's, see `veriloop.events.RunEnded`."""


class Tracker(Part, frozen=True):
    """Shows runs elsewhere, each as one run of its own. It never ends a run, whatever happens to it.

    Attributes:
        project: Under which name runs are put together.
    """

    family: ClassVar[str] = "veriloop.trackers"

    project: Name = "veriloop"

    @abstractmethod
    def open(self, run: RunInfo) -> Tracking:
        """A new run of its own, with the settings as its parameters; or the one that the key has already."""


def numbers_of(record: RoundRecord) -> dict[str, float]:
    """The numbers of a round that trackers get, by names such as ``rouge1/verified``.

    Those of the validation split begin with ``validation_``. What could not be measured is left out.
    """
    counts = record.counts
    found: dict[str, float] = {name: estimate.value for name, estimate in record.metrics.items()}
    found |= {f"validation_{name}": estimate.value for name, estimate in record.validation.items()}
    if record.round:
        found |= {
            "candidates": counts.generated,
            "kept": counts.kept,
            "accepted_share": counts.accepted / counts.generated if counts.generated else math.nan,
            "abstained_share": counts.abstained / counts.generated if counts.generated else math.nan,
        }
    found["seconds"] = sum(record.seconds.values())
    found[MARK] = record.trained_on
    return {f"{name}/{record.arm}": float(value) for name, value in found.items() if math.isfinite(value)}


def round_in(name: str, step: int) -> tuple[str, int] | None:
    """The arm and round that a tracker's number stands for, where it is the mark of one."""
    mark, _, arm = name.partition("/")
    return (arm, step) if mark == MARK and arm else None
