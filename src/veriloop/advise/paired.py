"""Compare two models by one quantity: the gain of one over the other, row by row if they share rows."""

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
"""Function that returns the rows of (round, arm, quantity, split), shape (n,), or None: `RunFolder.rows`."""

By = Literal["rows", "errors", "values"]
"""How two models are compared: by differences of rows, by their standard errors, or by bare values."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A measurement of a model.

    Attributes:
        estimate: Measured number.
        rows: Contribution of each row, shape (n,), with the number as mean; None if there are none.
    """

    estimate: Estimate
    rows: NDArray[np.floating] | None = None

    def losses(self, quantity: Quantity) -> Floats | None:
        """Return the rows as numbers of which lower is better; to first order for `Near`."""
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
    """Improvement of one model over another, in units of the quantity; negative if it is worse.

    Attributes:
        value: Gain.
        se: Standard error: 0 if both numbers are exact, NaN if one error is unknown.
        rows: Gain on each row, shape (n,); None if the two share no rows.
    """

    value: float
    se: float
    rows: Floats | None = None

    @property
    def by(self) -> By:
        """Source of the standard error."""
        if self.rows is not None:
            return "rows"
        return "errors" if self.se > 0 else "values"


def loss(quantity: Quantity, value: float) -> float:
    """Return ``value`` as a number of which lower is better.

    Raises:
        ConfigError: The quantity has no direction.
    """
    return float(quantity.loss(np.array([value]))[0])


def gain(new: Reading, old: Reading, quantity: Quantity) -> Gain:
    """Return how much better ``new`` is than ``old``.

    Without common rows the two errors are treated as independent; if they come from the same held-out
    samples, this is too cautious.

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
        arm: Name of the arm.
        readings: Measurements by round.
        split: Split of these numbers.
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
        """Return the quantity ``name`` from the records of one arm.

        Args:
            chain: Records by round. Those without the quantity are skipped.
            name: Name of the quantity.
            rows: Function that looks up its rows.
            split: Split of the numbers; that used for decisions when None.
        """
        split = split or (chain[-1].decisive_split if chain else "test")
        readings: dict[int, Reading] = {}
        for record in chain:
            found = (record.validation if split == "validation" else record.metrics).get(name)
            if found is not None and math.isfinite(found.value):
                own = rows(record.round, record.arm, name, split) if rows else None
                readings[record.round] = Reading(found, own)
        return cls(chain[0].arm if chain else "", readings, split)
