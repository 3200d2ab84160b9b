"""Quantities: the meaning of a measured number, as declared by its metric."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from .errors import ConfigError
from .mistakes import InOneLine


@dataclass(frozen=True)
class Near(metaclass=InOneLine):
    """The best value is ``near``; closer is better, from either side."""

    near: float


Better = Literal["higher", "lower"] | Near | None
"""The better direction of a quantity; None if neither direction is better."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Quantity(metaclass=InOneLine):
    """The meaning of a number: enough to plot it, to stop by it, and to tell which of two values is better.

    Attributes:
        title: Name for people; the key when empty.
        better: Better direction. With None, stop rules, forecast verdicts and comparisons refuse the
            quantity.
        low: Smallest possible value; None if unbounded.
        high: Largest possible value; None if unbounded.
        unit: Unit, such as ``nats``; empty for a pure number.
        meaning: Explanation in one sentence.
        part_of: Quantity that this one is a part of, such as the accuracy of one class.
        watch_falls: Whether a fall is a warning even if everything else improves, as for diversity.
        least: Value below which there is a warning; None for no such value.
    """

    title: str = ""
    better: Better = None
    low: float | None = None
    high: float | None = None
    unit: str = ""
    meaning: str = ""
    part_of: str | None = None
    watch_falls: bool = False
    least: float | None = None

    def __post_init__(self) -> None:
        low, high = self.bounds
        if not low < high:
            raise ConfigError("bounds of a quantity", got=f"{low:g} to {high:g}", expected="low below high")

    @property
    def bounds(self) -> tuple[float, float]:
        """Smallest and largest value; infinite if unbounded."""
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high

    @property
    def direction(self) -> str:
        """Direction in words: ``higher``, ``lower``, ``near 1``, or an empty text."""
        return f"near {self.better.near:g}" if isinstance(self.better, Near) else self.better or ""

    @property
    def hint(self) -> str:
        """Better direction for people: ``lower is better``, ``closer to 1 is better``, or an empty text."""
        if isinstance(self.better, Near):
            return f"closer to {self.better.near:g} is better"
        return f"{self.better} is better" if self.better else ""

    @property
    def remark(self) -> str:
        """Unit and `hint`, if there are any: ``nats, lower is better``."""
        return ", ".join(part for part in (self.unit, self.hint) if part)

    @property
    def loss(self) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """Function that maps values to numbers of which lower is better.

        Raises:
            ConfigError: The quantity has no direction.
        """
        match self.better:
            case "lower":
                return lambda values: values
            case "higher":
                return lambda values: -values
            case Near(near=best):
                return lambda values: np.abs(values - best)
        raise ConfigError(
            f"{self.title or 'this quantity'} has no better direction",
            expected="a quantity with a direction",
            fix='its metric can declare one: Quantity(better="higher"), "lower" or Near(1.0)',
        )
