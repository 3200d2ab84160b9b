"""Two models by one quantity: the gain of one over the other, row by row where they share their rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from ..quantity import Near, Quantity
from ..records import Estimate, RoundRecord, Split

Floats = NDArray[np.float64]

RowsOf = Callable[[int, str, str, Split], NDArray[np.floating] | None]
"""The rows of (round, arm, quantity, split), shape (n,), or None: such as `RunFolder.rows`."""

By = Literal["rows", "errors", "values"]
"""How two models are compared: by differences of rows; by their standard errors; by bare values."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What was measured of a model.

    Attributes:
        estimate: The number.
        rows: What each row adds to it, shape (n,), of which it is the mean; None where nobody says.
    """

    estimate: Estimate
    rows: NDArray[np.floating] | None = None

    def losses(self, quantity: Quantity) -> Floats | None:
        """The rows as numbers of which the lower is better; to first order for `Near`."""
        if self.rows is None:
            return None
        value = self.estimate.value
        match quantity.better:
            case Near(near=best):
                slope = math.copysign(1.0, value - best)
            case better:
                slope = -1.0 if better == "higher" else 1.0
        return loss(quantity, value) + slope * (np.asarray(self.rows, float) - value)


@dataclass(frozen=True, eq=False)
class Gain:
    """How much better a model is than another one, in units of the quantity; below 0 where it is worse.

    Attributes:
        value: The gain.
        se: Its standard error: 0 where both numbers are exact, NaN where nobody knows one of theirs.
        rows: The gain on each row, shape (n,); None where the two share no rows.
    """

    value: float
    se: float
    rows: Floats | None = None

    @property
    def by(self) -> By:
        """What the standard error comes from."""
        if self.rows is not None:
            return "rows"
        return "errors" if self.se > 0 else "values"


def loss(quantity: Quantity, value: float) -> float:
    """``value`` as a number of which the lower is better.

    Raises:
        ConfigError: The quantity has no direction.
    """
    return float(quantity.loss(np.array([value]))[0])


def gain(new: Reading, old: Reading, quantity: Quantity) -> Gain:
    """How much better ``new`` is than ``old``.

    Without rows in common the errors of the two are taken to be independent; where they are of the same
    held-out samples, that is too cautious.

    Raises:
        ConfigError: The quantity has no direction.
    """
    value = loss(quantity, old.estimate.value) - loss(quantity, new.estimate.value)
    after, before = new.losses(quantity), old.losses(quantity)
    if after is None or before is None or len(after) != len(before) or len(after) < 2:
        return Gain(value, math.hypot(new.estimate.se, old.estimate.se))
    rows = before - after
    return Gain(value, float(rows.std(ddof=1)) / math.sqrt(len(rows)), rows)


@dataclass(frozen=True, eq=False)
class Track:
    """One quantity of one arm, by round.

    Attributes:
        arm: Its name.
        readings: Of the rounds that measured it.
        split: Whose numbers these are.
    """

    arm: str
    readings: Mapping[int, Reading]
    split: Split

    @classmethod
    def of(
        cls,
        chain: Sequence[RoundRecord],
        name: str,
        rows: RowsOf | None = None,
        split: Split | None = None,
    ) -> Self:
        """The quantity ``name`` of the records of one arm.

        Args:
            chain: By round. Those without the quantity are passed over.
            name: Of the quantity.
            rows: Where its rows are looked up.
            split: Whose numbers; those that decisions read when None.
        """
        split = split or (chain[-1].decisive_split if chain else "test")
        readings: dict[int, Reading] = {}
        for record in chain:
            found = (record.validation if split == "validation" else record.metrics).get(name)
            if found is not None and math.isfinite(found.value):
                own = rows(record.round, record.arm, name, split) if rows else None
                readings[record.round] = Reading(found, own)
        return cls(chain[0].arm if chain else "", readings, split)
