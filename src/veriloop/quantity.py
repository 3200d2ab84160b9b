"""Quantities: what a measured number means, as the metric that measures it declares."""

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from .errors import ConfigError


@dataclass(frozen=True)
class Near:
    """The best value is ``near``: nearer is better, from either side."""

    near: float


Better = Literal["higher", "lower"] | Near | None
"""Which way a quantity is better; None where neither way is better by itself."""


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Quantity:
    """What a number means: enough to plot it, to stop by it, and to say which of two values is better.

    Attributes:
        title: What people call it; its key when empty.
        better: Which way is better. None: a stop rule, a forecast's verdict and a comparison refuse it.
        low: The least possible value; None without a bound.
        high: The greatest possible value; None without a bound.
        unit: Such as ``nats``; empty for a pure number.
        meaning: One sentence for people.
        part_of: The quantity of which this one is a part, such as the accuracy of one class.
        watch_falls: Whether a fall is a reason to worry, whatever else got better: so of diversity.
        least: Below this value there is a reason to worry; None where no value is one.
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
        """Its least and its greatest value, infinite without a bound."""
        return -math.inf if self.low is None else self.low, math.inf if self.high is None else self.high

    @property
    def direction(self) -> str:
        """In words: ``higher``, ``lower``, ``near 1``, or nothing."""
        return f"near {self.better.near:g}" if isinstance(self.better, Near) else self.better or ""

    @property
    def hint(self) -> str:
        """Which way is better, for people: ``lower is better``, ``closer to 1 is better``, or nothing."""
        if isinstance(self.better, Near):
            return f"closer to {self.better.near:g} is better"
        return f"{self.better} is better" if self.better else ""

    @property
    def remark(self) -> str:
        """Its unit and its `hint`, as far as there are any: ``nats, lower is better``."""
        return ", ".join(part for part in (self.unit, self.hint) if part)

    @property
    def loss(self) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
        """What turns values into numbers of which the lower is better.

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
            f"{self.title or 'this quantity'} is neither better nor worse by itself",
            expected="a quantity with a direction",
            fix='its metric can declare one: Quantity(better="higher"), "lower" or Near(1.0)',
        )
