"""From predicted means to advice: gain, best round, plateau, regime, and what they say to a person."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..theory import best_round, classify
from ..theory.validation import Floats
from .intervals import LEVEL, Interval

ENOUGH = 0.95
"""The plateau begins at the first round that brings this share of the whole gain."""

_NO_CENTER = "This verifier has no center: it only ever wants more, and pulls the model away for ever."
_NO_CENTER_IN_SIGHT = "No center is in sight."
"""What is said where the accepted rows spread wider than all, so that no more than round 1 can be trusted."""

AuditRegime = Literal["improving", "gain_then_plateau", "gain_then_reversal", "harmful", "divergent"]


@dataclass(frozen=True, eq=False)
class Distances:
    """Distances of the model's mean from the real mean, in units of the model's own spread, squared.

    Attributes:
        curve: After rounds 0, 1, ..., shape (K + 1,).
        drawn: The same with errors drawn, shape (K + 1, draws).
        floor: Of the knowledge center; NaN without one.
        floor_drawn: Shape (draws,).
    """

    curve: Floats
    drawn: Floats
    floor: float
    floor_drawn: Floats


def distance(squared: float, drawn: Floats) -> Interval:
    """A distance from its square, and draws of its square around that.

    Errors only ever add to a square, so their part is taken off, and the interval is the basic one
    (A. Davison and D. Hinkley, Bootstrap Methods and their Application, 1997, section 5.2).
    """
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value, low, high = np.sqrt(
        np.maximum([2 * squared - drawn.mean(), 2 * squared - high, 2 * squared - low], 0)
    )
    return Interval(value=float(value), low=float(min(low, value)), high=float(max(high, value)))


def percentiles(value: float, drawn: Floats) -> Interval:
    """A number with the percentiles of its draws, widened to hold it."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value=value, low=float(min(low, value)), high=float(max(high, value)))


@dataclass(frozen=True)
class Prognosis:
    """What to expect of the rounds to come.

    Attributes:
        gain: By how much round 1 brings the mean nearer to the real one, in spreads.
        best: The round whose mean is nearest to the real one; 0 when none helps.
        enough: The round by which 95 % of that gain is made.
        plateau: The distance that is left in the end; None without a center.
        regime: See `veriloop.theory.Regime`; and ``divergent`` without a center.
        agreement: The share of draws from the errors with that regime; improving and gain_then_plateau count
            as one, because they differ by how long one looks.
    """

    gain: Interval
    best: Interval
    enough: int
    plateau: Interval | None
    regime: AuditRegime
    agreement: float


def prognosis(d: Distances) -> Prognosis:
    """Read the regime off the curve, with `veriloop.theory`'s rules.

    A center that cannot be told from the real mean, and is nearer to it than the model for sure, is taken for
    it, unless the curve turns back before it for sure: then rounds improve for as long as one looks. All
    rounds that were predicted are looked at.
    """
    best, drawn_best = int(best_round(d.curve)), best_round(d.drawn).astype(float)
    divergent = not np.isfinite(d.floor)
    plateau = None if divergent else distance(d.floor, d.floor_drawn)
    # Without a center the mean ends up infinitely far away.
    floor = np.asarray(np.inf if divergent else d.floor)
    regime = str(classify(d.curve, floor))
    drawn = classify(d.drawn, np.full(d.drawn.shape[1], np.inf) if divergent else d.floor_drawn)
    if divergent:
        called, agreement = "divergent", float(np.mean(drawn == regime))
    elif (
        plateau is not None
        and plateau.low == 0
        and plateau.high**2 < d.curve[0]
        and np.mean(drawn == "gain_then_reversal") < LEVEL
    ):
        called, agreement, best = "improving", float(np.mean(drawn != "harmful")), len(d.curve) - 1
    else:
        called = regime
        alike = (
            {"improving", "gain_then_plateau"} if regime in {"improving", "gain_then_plateau"} else {regime}
        )
        agreement = float(np.mean(np.isin(drawn, list(alike))))
    gain = np.sqrt(d.curve[0]) - np.sqrt(d.curve[1])
    left = d.curve - d.curve.min()
    return Prognosis(
        gain=percentiles(float(gain), np.sqrt(d.drawn[0]) - np.sqrt(d.drawn[1])),
        best=percentiles(best, drawn_best),
        enough=int(np.argmax(left <= (1 - ENOUGH) * left[0])),
        plateau=plateau,
        regime=called,  # type: ignore[arg-type]
        agreement=agreement,
    )


def verdict(p: Prognosis, d: Distances, ended: bool, extrapolated: bool, widened: bool) -> str:
    """The prognosis in plain language."""
    before, after = np.sqrt(d.curve[:2])
    left = p.plateau.value if p.plateau is not None else np.inf
    step = f"from {before:.2f} to {after:.2f} spreads away from your data"
    sentences = {
        "divergent": f"{_NO_CENTER_IN_SIGHT if widened else _NO_CENTER} Round 1 goes {step}; "
        + (f"stop after round {p.best.value:.0f}" if p.best.value else "do not train on it")
        + (", and audit again." if widened and p.best.value else "."),
        "harmful": f"Harmful from the first round, which goes {step}: improve the verifier before you train"
        " on it.",
        "improving": f"Helps: round 1 goes {step}, most of the gain is made by round {p.enough}, and the"
        " verifier's center cannot be told from your data.",
        "gain_then_plateau": f"Helps for about {_rounds(p.enough)}, then stays {left:.2f} spreads away from"
        f" your data (round 1 goes {step}): after that, improve the verifier or stop.",
        "gain_then_reversal": f"Helps for about {_rounds(round(p.best.value))}, then pulls away from your"
        f" data, to {left:.2f} spreads (round 1 goes {step}): improve the verifier or stop.",
    }
    parts = [sentences[p.regime]]
    if p.plateau is not None and p.plateau.high - p.plateau.low > before:
        parts.append(
            "The rows leave much open: the center is"
            f" {p.plateau.low:.2f} to {p.plateau.high:.2f} spreads away."
        )
    if p.gain.low <= 0 <= p.gain.high:
        parts.append("The gain of one round cannot be told from nothing.")
    if ended and p.regime != "divergent":
        parts.append(
            f"The prediction ends after round {len(d.curve) - 1}: the rows reach no further."
            + (" The center is an extrapolation." if extrapolated else "")
        )
    return " ".join(parts)


def _rounds(n: int) -> str:
    return "1 round" if n == 1 else f"{n} rounds"
