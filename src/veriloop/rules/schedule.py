"""Schedules: how many samples each round keeps."""

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field
from typing_extensions import override

from ..parts import Part

Size = Annotated[int, Field(gt=0)]


class Schedule(Part, frozen=True):
    """The number of samples to keep in each round."""

    family: ClassVar[str] = "veriloop.schedules"

    @abstractmethod
    def wanted(self, round_: int) -> int:
        """Return how many samples round ``round_`` (1, 2, ...) should keep; at least 1."""


class Constant(Schedule, frozen=True):
    """Keeps ``n`` in every round."""

    n: Size

    @override
    def wanted(self, round_: int) -> int:
        return self.n


class Linear(Schedule, frozen=True):
    """Keeps ``start + step * (round - 1)``; the paper's "k x 5,000" is ``start=5000, step=5000``."""

    start: Size
    step: Annotated[int, Field(ge=0)]

    @override
    def wanted(self, round_: int) -> int:
        return self.start + self.step * (round_ - 1)


class Geometric(Schedule, frozen=True):
    """Keeps ``start * ratio ** (round - 1)``, rounded, and at most ``limit`` if set."""

    start: Size
    ratio: Annotated[float, Field(ge=1)]
    limit: Size | None = None

    @override
    def wanted(self, round_: int) -> int:
        n = round(self.start * self.ratio ** (round_ - 1))
        return n if self.limit is None else min(n, self.limit)


class Listed(Schedule, frozen=True):
    """Keeps the numbers in ``n``, one per round; the last one is used for all later rounds."""

    n: Annotated[tuple[Size, ...], Field(min_length=1)]

    @override
    def wanted(self, round_: int) -> int:
        return self.n[min(round_, len(self.n)) - 1]
