"""The ship gate: which round is shown to be better than the start, with a bound on the error over all looks.

The best of many rounds looks good partly by luck. So each round is tested once, when it is finished, by its
gain over the start on each held-out row, against chance alone. Chance is simulated by flipping signs: if a
round is not better, a row's gain is as likely to be negative as positive, and one sign per row for all rounds
preserves what the rounds have in common. Up to round k, the simulated paths that pass the limit of any round
are at most the share error (6/pi^2) (1 + 1/4 + ... + 1/k^2); a limit never changes later. So all looks
together, however many there are, use at most the error.

The guarantee: the probability that a round is ever named that is not truly better is at most ``error``,
whatever the other rounds are. It is exact if no round is better and gains are symmetric, and otherwise holds
for many rows, like a t-test. "Truly" means: for this run's models, on other rows of the same kind. It does
not include other seeds, or choices that were made with these rows, such as tuned settings.

Without rows there are only standard errors. Then each round is tested separately, with its own part of the
error, as if the errors of two rounds were independent. Numbers without any error are compared directly.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..cards import ERROR
from ..laws import normal_quantile
from ..quantity import Quantity
from ..records import Number, RoundRecord, Split
from ..rng import START, Address
from .paired import By, Floats, Gain, RowsOf, Track, gain, loss

DRAWS = 20_000
"""Number of simulated paths: 1,000 may pass a limit at the default error, which is known to 3 %."""

GROUPS = 256
"""Number of groups that more rows are summed into: nearly as precise, and cheap for a million rows."""


TOGETHER = 8
"""Number of rounds whose paths are summed together."""

ROUNDING = 1e-5
"""Of the paths: with few rows what was measured may be one of them, which is then not above itself."""


class Look(BaseModel):
    """One round at the gate.

    Attributes:
        round: Round number.
        gain: Measured gain, in units of the quantity; negative if it is worse.
        at_least: Lower bound of the gain, over all looks together; NaN if no test is possible.
        shown: Whether it is shown to be better.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    round: int
    gain: Number
    at_least: Number
    shown: bool


class Ship(BaseModel):
    """The gate's answer.

    Attributes:
        round: Round to ship: the best measured one among those shown to be better; 0 if there is none.
        error: Probability of naming a round that is not better, over all looks together.
        quantity: Quantity of the test.
        than: What it is better than: ``start``, or another arm.
        by: ``rows``: by the gains on held-out ``rows``. ``errors``: by standard errors. ``values``: by
            numbers without an error, so for these models only.
        rows: Number of rows that the rounds share; 0 if there are none.
        split: Split of the numbers.
        evidence: Rounds that were tested.
        verdict: Summary in plain language.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    round: int
    error: float
    quantity: str
    than: str = START
    by: By = "values"
    rows: int = 0
    split: Split = "test"
    evidence: tuple[Look, ...] = ()
    verdict: str

    @property
    def advice(self) -> str:
        """What to do now, as the end of a sentence."""
        if self.round:
            return f"ship round {self.round}"
        than = "it" if self.than == START else self.than
        return f"ship the start model, because no round is shown to be better than {than}"


def ship(
    chain: Sequence[RoundRecord],
    name: str,
    quantity: Quantity,
    *,
    rows: RowsOf | None = None,
    than: Sequence[RoundRecord] | None = None,
    error: float = ERROR,
) -> Ship:
    """Return the round of an arm that is shown to be better than its start, or than another arm's same round.

    Equal arguments give equal answers, and the answer on a round does not change when further rounds follow.

    Args:
        chain: Records of the arm, by round. Those without the quantity are skipped.
        name: Name of a quantity measured on held-out real data.
        quantity: Its meaning. Without a direction no round is named.
        rows: Function that looks up the rows of a round, such as `RunFolder.rows`.
        than: Records of another arm; the start of ``chain`` when None.
        error: Probability of naming a round that is not better, over all looks together.
    """
    new = Track.of(chain, name, rows)
    old = Track.of(than, name, rows, new.split) if than is not None else None
    against = START if old is None else old.arm
    about = {"error": error, "quantity": name, "than": against, "split": new.split}
    if quantity.better is None:
        said = f"{name} has no better direction, so it cannot name a round to ship."
        return Ship(round=0, verdict=said, **about)
    gains: dict[int, Gain] = {}
    for number, reading in new.readings.items():
        other = new.readings.get(0) if old is None else old.readings.get(number)
        if number > 0 and other is not None:
            gains[number] = gain(reading, other, quantity)
    by, looks = _looks(gains, error)
    shown = [look.round for look in looks if look.shown]
    best = min(shown, key=lambda k: loss(quantity, new.readings[k].estimate.value), default=0)
    n = max((len(g.rows) for g in gains.values() if by == "rows" and g.rows is not None), default=0)
    found = Ship(round=best, by=by, rows=n, evidence=tuple(looks), verdict="", **about)
    return found.model_copy(update={"verdict": _verdict(found)})


def _looks(gains: dict[int, Gain], error: float) -> tuple[By, list[Look]]:
    """Return how the rounds are judged, all in the same way, and the result for each."""
    kinds = {g.by for g in gains.values()}
    by: By = "values" if kinds <= {"values"} else "rows" if kinds == {"rows"} else "errors"
    if by == "rows":
        at_least = _by_rows([g.rows for g in gains.values() if g.rows is not None], error)
    elif by == "errors":
        spent = error * _spending(len(gains))
        limits = [-normal_quantile(p) for p in np.diff(spent, prepend=0.0).tolist()]
        at_least = [g.value - c * (g.se or math.nan) for g, c in zip(gains.values(), limits, strict=True)]
    else:
        at_least = [math.nan] * len(gains)
    return by, [
        Look(round=k, gain=g.value, at_least=low, shown=g.value > 0 if by == "values" else low > 0)
        for (k, g), low in zip(gains.items(), at_least, strict=True)
    ]


def _spending(looks: int) -> Floats:
    """Return the shares of the error that may be used up to each look, shape (looks,); 1 in the limit."""
    return 6 / np.pi**2 * np.cumsum(1 / np.arange(1, looks + 1) ** 2)


def _by_rows(gains: Sequence[Floats], error: float) -> list[float]:
    """Return the smallest gain of each round not explained by chance; ``gains`` has shape (n,) each."""
    # The paths need one sign per row for all rounds, so rows that are not shared by all are removed.
    shared = min(map(len, gains))
    summed = np.stack([_grouped(rows[:shared]) for rows in gains])
    n = summed.shape[1]
    size = np.sqrt((summed**2).sum(axis=1, keepdims=True))
    limits = _limits(np.divide(summed, size, out=np.zeros_like(summed), where=size > 0), error)
    # As a limit of Student's t, of which sum / size is a rising function.
    t = limits * np.sqrt((n - 1) / np.maximum(n - limits**2, np.finfo(float).tiny))
    mean, se = summed.mean(axis=1), summed.std(axis=1, ddof=1) / math.sqrt(n)
    return list((mean - np.maximum(t * se, 0.0)) * n / shared)


def _grouped(rows: Floats) -> Floats:
    """Return at most `GROUPS` sums of rows of shape (n,)."""
    if len(rows) <= GROUPS:
        return rows
    return np.bincount(np.arange(len(rows)) % GROUPS, rows).astype(float)


@lru_cache(maxsize=2)
def _signs(n: int) -> NDArray[np.int8]:
    """Return the random signs of n rows, shape (DRAWS, n); a list of runs asks for the same ones again."""
    return Address(0).rng().integers(0, 2, (DRAWS, n), np.int8) * 2 - 1


def _limits(weights: Floats, error: float) -> Floats:
    """Return the limit of each round's normalised sum, shape (rounds,); weights have shape (rounds, n)."""
    rounds, n = weights.shape
    signs = _signs(n).astype(np.float32)
    # A few rounds at a time, always as many: how a library sums may depend on the number of columns, and what
    # was said of a round shall stay, to the last bit.
    padded = np.zeros((rounds + -rounds % TOGETHER, n), np.float32)
    padded[:rounds] = weights
    blocks = [signs @ padded[first : first + TOGETHER].T for first in range(0, rounds, TOGETHER)]
    # By round, so that the paths of a round lie together.
    paths: NDArray[np.float32] = np.ascontiguousarray(np.concatenate(blocks, axis=1).T)
    limits = np.empty(rounds)
    left = np.ones(DRAWS, bool)
    for k, allowed in enumerate(np.floor(DRAWS * error * _spending(rounds)).astype(int)):
        over = int(allowed) - int(np.count_nonzero(~left))
        # Of the paths that have passed no limit yet, at most `over` lie above this one.
        limits[k] = np.partition(paths[k, left], -1 - over)[-1 - over]
        left &= paths[k] <= limits[k]
    return limits * (1 + ROUNDING)


def _verdict(f: Ship) -> str:
    better = "better than the start" if f.than == START else f"better than {f.than}"
    if not f.evidence:
        return f"No round after the start has been measured by {f.quantity} yet."
    what = f"Ship round {f.round}" if f.round else f"No round is shown to be {better} by {f.quantity}"
    if f.by == "values":
        if f.round:
            what = f"{what}: by {f.quantity} it is {better}"
        else:
            what = f"No round is {better} by {f.quantity}"
        return f"{what}. The numbers have no error, so this applies to this run's models only."
    source = f"{f.rows:,} rows" if f.by == "rows" else "the standard errors"
    sure = f"error at most {100 * f.error:g} % over all looks, by {source} of {f.split} data"
    if f.round:
        return f"{what}: shown to be {better} by {f.quantity} ({sure})."
    top = max(f.evidence, key=lambda look: look.gain)
    luck = f" Round {top.round} measured better, but no more than luck may explain." if top.gain > 0 else ""
    return f"{what} ({sure}).{luck}"
