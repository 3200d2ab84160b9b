"""From the bracket to advice: gain, best round, remaining distance, regime, and a verdict in words."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ._bracket import HARDLY, Bracket
from ._fate import HARMS, HELPS, MATTERS, SURE, TURNS
from ._rows import Floats
from .intervals import LEVEL, Interval

COIN = 0.01
"""P-value above which verdicts may come from a coin toss."""

FEW_REAL = 20
"""Number of real rows below which the real mean is too uncertain."""

FOREIGN = 5.0
"""Distance in spreads above which real rows are hardly of the same kind."""

_SEEN = 3
"""With this many rounds in reach, the draws of later ones show how sure a regime is."""

CONFIDENT = 0.9
"""Probability below which the verdict says "probably"."""

ENOUGH = 0.95
"""The plateau begins at the first round that brings this share of the whole gain."""

AuditRegime = Literal[
    "improving", "gain_then_plateau", "gain_then_reversal", "harmful", "divergent", "cannot_tell"
]

_FATES = {HELPS: "helps and stays", TURNS: "helps, then turns back", HARMS: "harms from the first round"}


@dataclass(frozen=True)
class Regime:
    """The effect of repeated rounds on the distance from the real mean.

    Attributes:
        value: One of `AuditRegime`.
        probability: Probability that it is correct; None if it is open.
        reason: Why it is open, and what would settle it; None otherwise.
    """

    value: AuditRegime
    probability: float | None = None
    reason: str | None = None


def distance(squared: float, drawn: Floats) -> Interval:
    """Return a distance with its interval, from its square and draws of the square.

    Errors can only add to a square, so their part is subtracted, and the interval is the basic one
    (A. Davison and D. Hinkley, Bootstrap Methods and their Application, 1997, section 5.2).
    """
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value, low, high = np.sqrt(
        np.maximum([2 * squared - drawn.mean(), 2 * squared - high, 2 * squared - low], 0)
    )
    return Interval(value=float(value), low=float(min(low, value)), high=float(max(high, value)))


def percentiles(value: float, drawn: Floats) -> Interval:
    """Return a number with percentiles of its draws as interval, widened to contain it."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=value, low=float(min(low, value)), high=float(max(high, value)))


def regime(b: Bracket, n_real: int, divergent: bool) -> Regime:
    """Return the regime that all rivals agree on, or why there is none.

    Args:
        b: The rivals.
        n_real: Number of real rows.
        divergent: Whether the generator is known to keep its spread, and the verifier has no center.
    """
    fate, last = b.fate, len(b.hull.mean)
    if n_real < FEW_REAL:
        return _open(f"{n_real} real rows are too few to place the real mean: give {FEW_REAL} or more")
    if b.hull.distances[0] > FOREIGN:
        return _open(
            f"the real mean is {b.hull.distances[0]:.1f} spreads away: give real rows of the same kind, in"
            " the same units, or train the model longer before you verify"
        )
    if b.coin > COIN:
        return _open(
            f"the verdicts could be those of a coin that accepts as often (p = {b.coin:.2f}): judge more rows"
        )
    if b.explained < HARDLY:
        return _open(
            f"the features explain {max(b.explained, 0):.1%} of the verdicts: the verifier judges by"
            " something that is not given, or nearly at random; give the features that it judges by"
        )
    if divergent:
        return Regime("divergent", probability=fate.probability)
    if b.known < min(_SEEN, last):
        return _open(f"the rows reach no further than round {b.known}: train up to it and audit again")
    if fate.kind is None:
        by = ", ".join(f"{name}: {_FATES[k]}" for name, k in zip(b.rivals, fate.by_rival, strict=True))
        return _open(
            f"it depends on how the generator is refitted ({by}): train one round and audit again, or name"
            " your generator"
        )
    if fate.probability < SURE[fate.kind]:
        return _open(
            f"the rows do not settle it ({_FATES[fate.kind]}: probability {fate.probability:.2f}):"
            " judge more rows"
        )
    if fate.kind == TURNS:
        return Regime("gain_then_reversal", probability=fate.probability)
    if fate.kind == HARMS:
        return Regime("harmful", probability=fate.probability)
    arrives = any(r.distances_low[-1] <= MATTERS * r.distances[0] for r in b.rivals.values())
    return Regime("improving" if arrives else "gain_then_plateau", probability=fate.probability)


def _open(reason: str) -> Regime:
    return Regime("cannot_tell", reason=reason)


def enough(distances: Floats) -> int:
    """Return the round that makes 95 % of the gain of all rounds."""
    left = distances - distances.min()
    return int(np.argmax(left <= (1 - ENOUGH) * left[0]))


def best_round(b: Bracket, found: Regime) -> Interval:
    """Return the nearest round; NaN if the regime is open."""
    low, high = np.quantile(b.best, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], method="nearest")
    value = np.nan if found.value == "cannot_tell" else float(np.median(b.best))
    return Interval(value=value, low=float(low), high=float(high))


def left(b: Bracket) -> Interval | None:
    """Return the distance after the last predicted round; None if that is the observed round 1."""
    hull, k = b.hull, b.known
    if k < 2:
        return None
    ends = hull.distances_low[k], hull.distances_high[k]
    return Interval(value=float(hull.distances[k]), low=float(ends[0]), high=float(ends[1]))


def verdict(found: Regime, b: Bracket, best: Interval, gain: Interval) -> str:
    """Describe the prognosis in plain language."""
    before, after = b.hull.distances[:2]
    step = f"from {before:.2f} to {after:.2f} spreads away from your data"
    first, end = f"(round 1 goes {step})", left(b)
    low, high = ("", "") if end is None else (f"{end.low:.2f}", f"{end.high:.2f}")
    then, soon = f"after round {b.known}", enough(b.hull.distances[: b.known + 1])
    parts = [
        {
            "cannot_tell": lambda: (
                f"Cannot tell what more than one round does: {found.reason}. Round 1 goes {step}."
            ),
            "divergent": lambda: (
                f"This verifier has no center: it only ever wants more. Round 1 goes {step}; "
                + (f"stop after round {best.value:.0f}." if best.value else "do not train on it.")
            ),
            "harmful": lambda: (
                f"Harmful from the first round, which goes {step}: improve the verifier before"
                " you train on it."
            ),
            "improving": lambda: (
                f"Helps: round 1 goes {step}, most of the gain is made by round {soon}, and"
                " nothing shows that it ends apart from your data."
            ),
            "gain_then_plateau": lambda: (
                f"Helps for about {_rounds(soon)}, then stays: {low} to {high} spreads away from your data"
                f" {then} {first}."
            ),
            "gain_then_reversal": lambda: (
                f"Helps for about {_rounds(round(best.value))}, then pulls away from"
                f" your data, to between {low} and {high} spreads {then} {first}: improve the"
                " verifier or stop."
            ),
        }[found.value]()
    ]
    if found.probability is not None and found.probability < CONFIDENT:
        parts[0] = f"Probably {parts[0][0].lower()}{parts[0][1:]}"
    if gain.low <= 0 <= gain.high:
        parts.append(f"The {'gain' if gain.value > 0 else 'loss'} of one round may be nothing.")
    return " ".join(parts)


def _rounds(n: int) -> str:
    return "1 round" if n == 1 else f"{n} rounds"
