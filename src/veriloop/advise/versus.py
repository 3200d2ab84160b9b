"""Is the verified arm better than the unverified one? The difference, its interval, and the data needed.

Within one run, the difference is that of two models, row by row if they share rows: its interval is for new
held-out rows of the same kind. Over several runs it is the mean difference of pairs with equal seeds: its
interval is for other seeds. Both are Student's, at 95 %. If the interval contains 0, the result includes the
number of rows or seeds that would detect a difference of this size in 80 % of cases.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..laws import student_quantile
from ..quantity import Near, Quantity
from ..records import Number
from .intervals import LEVEL, Z
from .paired import Gain, Reading, gain

POWER = 0.8
"""Probability of detecting a difference with the stated number of rows or seeds."""

MOST = 1_000_000
"""Number of rows above which no number is stated."""

Outcome = Literal["better", "worse", "cannot tell"]
"""Whether one arm is better than another; ``cannot tell`` if their interval contains 0."""


class Versus(BaseModel):
    """Comparison of one arm with another by one quantity.

    Attributes:
        quantity: Name of the quantity.
        arm: Name of the first arm.
        than: Name of the second arm.
        round: Round of both.
        by: Source of the interval: differences of ``rows`` or of ``seeds``, the two standard ``errors``, or
            none: the bare ``values``.
        pairs: Number of rows or seeds; 0 if there are none.
        difference: ``arm`` minus ``than``, in units of the quantity; of the distances to the best value if
            that is in between.
        low: Lower end of its 95 % interval; NaN if there is none.
        high: Upper end of the interval.
        outcome: Whether ``arm`` is better.
        enough: Number of rows or seeds needed if the result is open; None if unknown, or more than `MOST`.
        line: Summary in one line.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    quantity: str
    arm: str
    than: str
    round: int
    by: Literal["rows", "seeds", "errors", "values"]
    pairs: int = 0
    difference: Number
    low: Number = math.nan
    high: Number = math.nan
    outcome: Outcome
    enough: int | None = None
    line: str

    @property
    def brief(self) -> str:
        """Outcome, difference and interval, for the cell of a table."""
        return f"{self.outcome}: {self.quantity} {self.numbers}"

    @property
    def numbers(self) -> str:
        """Difference and interval."""
        numbers = _signed(self.difference)
        if math.isfinite(self.low + self.high):
            return f"{numbers} ({_signed(self.low)} to {_signed(self.high)})"
        return numbers


def versus(
    pairs: Sequence[tuple[Reading, Reading]],
    name: str,
    quantity: Quantity,
    *,
    arms: tuple[str, str] = ("verified", "unverified"),
    round_: int,
    smallest: float | None = None,
) -> Versus:
    """Compare two arms after a round.

    Args:
        pairs: Measurements of the first and the second arm; one pair per seed.
        name: Name of the quantity.
        quantity: Its meaning.
        arms: Names of both arms.
        round_: Round after which they were measured.
        smallest: Smallest difference that matters, for `Versus.enough`; the measured one when None.

    Raises:
        ConfigError: The quantity has no direction.
        ValueError: There are no pairs.
    """
    if not pairs:
        raise ValueError("no pairs to compare")
    gains = [gain(new, old, quantity) for new, old in pairs]
    if len(gains) > 1:
        values = np.array([g.value for g in gains])
        found, by, n = Gain(float(values.mean()), _error(values), values), "seeds", len(values)
    else:
        found, by = gains[0], gains[0].by
        n = 0 if found.rows is None else len(found.rows)
    half = math.nan
    if by != "values":
        half = (student_quantile(n - 1, (1 + LEVEL) / 2) if n else Z) * found.se
    outcome: Outcome = "cannot tell"
    if abs(found.value) > half or (by == "values" and found.value):
        outcome = "better" if found.value > 0 else "worse"
    enough = None
    if outcome == "cannot tell" and n:
        enough = _enough(found.se * math.sqrt(n), abs(found.value) if smallest is None else smallest)
    sign = 1.0 if quantity.better == "higher" else -1.0
    ends = sorted((sign * (found.value - half), sign * (found.value + half)))
    result = Versus(
        quantity=name,
        arm=arms[0],
        than=arms[1],
        round=round_,
        by=by,
        pairs=n,
        difference=sign * found.value,
        low=ends[0],
        high=ends[1],
        outcome=outcome,
        enough=enough,
        line="",
    )
    return result.model_copy(update={"line": _line(result, quantity, pairs, smallest)})


def _error(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values))


def _enough(spread: float, difference: float) -> int | None:
    """Return the number of pairs that detect ``difference``, given a pair's standard deviation."""
    if not difference > 0:
        return None

    def needed(freedom: float) -> float:
        """Return the number of pairs if the quantiles are those of ``freedom`` degrees of freedom."""
        quantiles = student_quantile(freedom, (1 + LEVEL) / 2) + student_quantile(freedom, POWER)
        return (quantiles * spread / difference) ** 2

    n = max(math.ceil(min(needed(math.inf), MOST + 1)), 2)
    while n <= MOST and needed(n - 1) > n:
        n += 1
    return n if n <= MOST else None


def _line(
    v: Versus, quantity: Quantity, pairs: Sequence[tuple[Reading, Reading]], smallest: float | None
) -> str:
    title = quantity.title or v.quantity
    if isinstance(quantity.better, Near):
        title = f"distance of {title} from {quantity.better.near:g}"
    if v.outcome == "cannot tell":
        head = f"cannot tell whether {v.arm} is better or worse than {v.than}"
    else:
        head = f"{v.arm} is {v.outcome} than {v.than}"
    after = f"after round {v.round}"
    if v.by == "values":
        new, old = (reading.estimate.value for reading in pairs[0])
        numbers = f"{title} {_signed(v.difference)} ({new:.4g} against {old:.4g}) {after}"
        return f"{head}: {numbers}; without an error, this applies to this run only."
    source = {
        "rows": f"paired by {v.pairs:,} rows",
        "seeds": f"over {v.pairs} seeds",
        "errors": "by the standard errors alone, not paired",
    }[v.by]
    interval = f"95 % interval {_signed(v.low)} to {_signed(v.high)}"
    line = f"{head}: {title} {_signed(v.difference)} ({interval}) {after}, {source}"
    if v.outcome != "cannot tell":
        return f"{line}."
    if not v.pairs:
        return f"{line}; pairs of rows would give a narrower interval."
    if v.low == v.high == 0 and smallest is None:
        return f"{line}."  # all pairs are equal: there is no difference to find
    size = "this difference" if smallest is None else f"a difference of {smallest:g}"
    unit = "seeds" if v.by == "seeds" else "rows"
    needed = f"about {v.enough:,}" if v.enough else f"more than {MOST:,}"
    return f"{line}; detecting {size} needs {needed} {unit}."


def _signed(x: float) -> str:
    return f"{x + 0.0:+#.3g}".rstrip(".")  # minus zero is zero
