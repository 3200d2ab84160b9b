"""The family of trackers, which show the rounds of a run elsewhere."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import StringConstraints

from ..parts import Part
from ..records import RoundRecord

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w. -]+$")]

MARK = "trained_on"
"""Name of a number that every round has; if it is present, the round is present."""


class RunInfo(NamedTuple):
    """What a tracker learns about a run, once.

    Attributes:
        key: Identifier of the run, the same after a resume.
        name: Name for people.
        settings: The plan, one plain value per path, such as ``learner.epochs``.
    """

    key: str
    name: str
    settings: Mapping[str, Any]


class Tracking(ABC):
    """An open run in a tracker. Used by one thread only."""

    @abstractmethod
    def logged(self) -> set[tuple[str, int]]:
        """Return the arms and rounds that it holds. The others are logged, in the order of their rounds."""

    @abstractmethod
    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Log the ``numbers`` of one arm after round ``step``."""

    @abstractmethod
    def close(self, status: str) -> None:
        """Write what is left; ``status`` is the run's status, see `veriloop.events.RunEnded`."""


class Tracker(Part, frozen=True):
    """Shows runs elsewhere, each as a separate run. A failing tracker never ends a run.

    Attributes:
        project: Name of the project that groups the runs.
    """

    family: ClassVar[str] = "veriloop.trackers"

    project: Name = "veriloop"

    @abstractmethod
    def open(self, run: RunInfo) -> Tracking:
        """Open a new run with the settings as its parameters, or the existing run with this key.

        A tool that cannot continue a run may open a new one that replaces it, and holds nothing yet.
        """


def numbers_of(record: RoundRecord) -> dict[str, float]:
    """Return the numbers of a round for trackers, by names such as ``rouge1/verified``.

    Those of the validation split start with ``validation_``. Numbers that could not be measured are omitted.
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
    """Return the arm and round that a number marks, if it is such a mark."""
    mark, _, arm = name.partition("/")
    return (arm, step) if mark == MARK and arm else None
