"""Forecast the next rounds of an arm from those it has, and say which round to ship."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..errors import DomainError
from ..quantity import Better, Quantity
from ..records import Number, RoundRecord
from ._curve import draw_curves, spread_of
from .intervals import LEVEL, Interval

Floats = NDArray[np.float64]
ForecastRegime = Literal["improving", "gain_then_plateau", "gain_then_reversal", "harmful", "unclear"]

FEWEST = 3
"""Rounds, with the start model, below which nothing is forecast: two points lie on any curve."""
AHEAD = 3
"""How many rounds are forecast when nobody says."""
NOTICEABLE = 0.03
"""A change by less than this share of the range of the values so far counts as none."""
ALIVE = 0.05
"""A family of curves is still possible while it is at least this probable."""
CERTAIN = 0.7
"""A regime less probable than this is called unclear."""


class NextRound(Interval):
    """What a round to come is expected to measure, with its 95 % prediction interval."""

    round: int


class Forecast(BaseModel):
    """What the rounds so far say about those to come. Intervals cover 95 %.

    Of a quantity without a direction there are numbers and no judgement: no best round, no gain, and the
    regime is ``unclear``.

    Attributes:
        next: The rounds to come; empty when there are too few rounds so far.
        best_round_so_far: As measured, the first one if several are equal; None of no rounds.
        best_round: The expected best one of those so far and ``next``, by the curve without its noise.
        plateau: Where the curve ends; None where a family of curves that never end is still possible, or
            where those that end leave it less known than the range of the values so far.
        families: How probable each family of curves is by now, see `_families`; empty like ``next``.
        regime: What the rounds do to the quantity, see `regime_of`; ``unclear`` when none is probable enough.
        probabilities: Of the regimes; of ``unclear``, that nothing changes at all.
        gain: How much better the next round will be than the last one, in units of the quantity and without
            the noise of either; None when ``next`` is empty.
        gain_per_second: The same for each second of a round, all stages and workers together.
        gain_per_verdict: The same for each candidate judged; None for an arm that nobody judges.
        better: Which way the quantity is better; None if neither is.
        split: Whose numbers were read: those of ``validation``, or of ``test`` where there are no others.
        verdict: All this in plain language.
    """

    model_config = ConfigDict(frozen=True)

    next: tuple[NextRound, ...] = ()
    best_round_so_far: int | None = None
    best_round: int | None = None
    plateau: Interval | None = None
    families: dict[str, Number] = {}
    regime: ForecastRegime = "unclear"
    probabilities: dict[ForecastRegime, Number] = {}
    gain: Interval | None = None
    gain_per_second: Interval | None = None
    gain_per_verdict: Interval | None = None
    better: Better = None
    split: Literal["validation", "test"] = "test"
    verdict: str


def forecast(
    chain: Sequence[RoundRecord],
    name: str,
    quantity: Quantity,
    *,
    ahead: int = AHEAD,
    planned: Sequence[int] = (),
) -> Forecast:
    """Forecast a quantity over the rounds after ``chain``.

    The numbers are those that decisions read: of the validation split where there is one. The curve and its
    noise are those of `_curve`; a number with a larger standard error counts for less.

    Args:
        chain: The records of one arm, by round. Those without the quantity are passed over.
        name: Of the quantity, measured on held-out real data; never the verifier's own score.
        quantity: What it means: its direction and its bounds.
        ahead: How many rounds to forecast, at least 1.
        planned: How many samples the rounds 1, 2, ... are to keep, as far as that is known.

    Raises:
        DomainError: ``ahead`` is not positive.
    """
    if ahead < 1:
        raise DomainError("rounds to forecast", got=ahead, expected="at least 1")
    measured = [r for r in chain if name in r.decisive and math.isfinite(r.decisive[name].value)]
    rounds = np.array([r.round for r in measured], np.int64)
    values = np.array([r.decisive[name].value for r in measured])
    told = f"Cannot tell yet: {name} was measured in {len(measured)} rounds, and a curve needs {FEWEST}."
    has_direction = quantity.better is not None
    about = Forecast(
        best_round_so_far=int(rounds[np.argmin(quantity.loss(values))])
        if has_direction and len(measured)
        else None,
        better=quantity.better,
        split="validation" if measured and measured[-1].validation else "test",
        verdict=told,
    )
    if len(measured) < FEWEST:
        return about
    errors = np.nan_to_num(np.array([r.decisive[name].se for r in measured]))
    last = int(rounds[-1])
    sizes = _sizes(chain, planned, last + ahead)
    curves = draw_curves(rounds, values, errors, last + ahead, sizes).clipped(*quantity.bounds)
    coming = about.model_copy(
        update={
            "next": tuple(
                NextRound(round=k, **_interval(of_round).model_dump())
                for k, of_round in enumerate(curves.measured.T, last + 1)
            ),
            "plateau": _plateau(curves.limit, float(np.ptp(values))),
            "families": curves.families,
            "verdict": f"Neither way is {name} better by itself, so no round to ship follows from it.",
        }
    )
    if not has_direction:
        return coming
    losses, final = quantity.loss(curves.values), quantity.loss(curves.limit)
    regimes = regime_of(losses, final, last, NOTICEABLE * spread_of(quantity.loss(values), errors))
    probabilities: dict[ForecastRegime, float] = {
        regime: float(np.mean(regimes == regime)) for regime in get_args(ForecastRegime)
    }
    likely = max(probabilities, key=lambda regime: probabilities[regime])
    gain = losses[:, last] - losses[:, last + 1]
    found = coming.model_copy(
        update={
            "best_round": int(np.argmin(losses.mean(axis=0))),
            "regime": likely if probabilities[likely] >= CERTAIN else "unclear",
            "probabilities": probabilities,
            "gain": _interval(gain),
            "gain_per_second": _per(gain, [sum(r.seconds.values()) for r in measured if r.round]),
            "gain_per_verdict": _per(gain, [_verdicts(r) for r in measured if r.round]),
        }
    )
    return found.model_copy(update={"verdict": _verdict(found)})


def regime_of(losses: Floats, final: Floats, last: int, noticeable: float) -> NDArray[np.str_]:
    """The regime of each curve: those of `veriloop.theory.Regime`, for curves that are known roughly.

    - ``unclear``: no round, nor the end, differs from the start by more than ``noticeable``.
    - ``harmful``: none is better than it by more than that.
    - ``gain_then_reversal``: some is, and a later one or the end is worse than the best by more than that.
    - ``improving``: neither, and the end is better than the last round so far by more than that.
    - ``gain_then_plateau``: none of these.

    Args:
        losses: Lower is better; shape (n, rounds from 0 on).
        final: The end of each, shape (n,).
        last: The last round so far.
        noticeable: Changes below this are none.
    """
    # A drift has no end; the rounds looked at are all that is known of it.
    final = np.where(np.isnan(final), losses[:, -1], final)
    later = np.column_stack([losses[:, 1:], final])
    best = later.min(axis=1)
    worst_since = np.maximum.accumulate(later[:, ::-1], axis=1)[:, ::-1]
    worst = np.take_along_axis(worst_since, later.argmin(axis=1)[:, None], axis=1)[:, 0]
    return np.select(
        [
            np.abs(later - losses[:, :1]).max(axis=1) <= noticeable,
            best >= losses[:, 0] - noticeable,
            worst > best + noticeable,
            final < losses[:, last] - noticeable,
        ],
        ["unclear", "harmful", "gain_then_reversal", "improving"],
        "gain_then_plateau",
    )


def _sizes(chain: Sequence[RoundRecord], planned: Sequence[int], horizon: int) -> list[int]:
    """What rounds 1 to ``horizon`` keep: as recorded, then as planned, then growing as they did last."""
    kept = {r.round: r.counts.kept for r in chain if r.round}
    sizes: list[int] = []
    for k in range(1, horizon + 1):
        grown = 2 * sizes[-1] - sizes[-2] if k > 2 else 0
        sizes.append(kept.get(k) or (planned[k - 1] if k <= len(planned) else grown))
    return sizes


def _plateau(limit: Floats, spread: float) -> Interval | None:
    ends = limit[np.isfinite(limit)]
    if len(ends) < (1 - ALIVE) * len(limit):
        return None
    found = _interval(ends)
    return found if found.high - found.low <= spread else None


def _interval(draws: Floats) -> Interval:
    low, value, high = np.quantile(draws, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return Interval(value=float(value), low=float(low), high=float(high))


def _per(gain: Floats, costs: Sequence[float]) -> Interval | None:
    """The gain for each unit of what a round costs; the last round's cost stands for the next one's."""
    return _interval(gain / costs[-1]) if costs and costs[-1] > 0 else None


def _verdicts(record: RoundRecord) -> int:
    # An arm without a verifier accepts all that it generates, and nobody judged them.
    counts = record.counts
    return counts.generated if counts.rejected or counts.abstained else 0


def _verdict(f: Forecast) -> str:
    ship = "the start model (round 0)" if f.best_round_so_far == 0 else f"round {f.best_round_so_far}"
    mend = "improve the verifier, or stop" if f.gain_per_verdict else "stop"
    match f.regime:
        case "improving":
            return f"Still improving. Go on; to stop now, ship {ship}."
        case "gain_then_plateau":
            return f"The gain is over, or nearly: the curve flattens. Ship {ship}."
        case "gain_then_reversal":
            turn = f"It helps up to about round {f.best_round}, and then gets worse."
            if f.best_round is not None and f.best_round >= f.next[0].round:
                return f"{turn} Go on until then; to stop now, ship {ship}."
            return f"{turn} Ship {ship}, which measured best; {mend}."
        case "harmful":
            return f"No round is better than the start model. Ship {ship}; {mend}."
    likely = sorted(f.probabilities.items(), key=lambda item: -item[1])[:2]
    words = {"unclear": "no change"}
    shown = ", ".join(f"{words.get(name, name.replace('_', ' '))} {p:.0%}" for name, p in likely)
    return f"Cannot tell yet ({shown}). To stop now, ship {ship}."
