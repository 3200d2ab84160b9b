"""Forecast the next rounds of an arm from those so far, and name the round to ship."""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..errors import DomainError
from ..quantity import Better, Quantity
from ..records import Number, RoundRecord
from ..showing import Showing, in_short
from ._curve import Curves, draw_curves, spread_of
from ._skill import AHEAD as TRUSTED
from ._skill import trust
from .intervals import LEVEL, Interval
from .ship import Ship, ship

Floats = NDArray[np.float64]
ForecastRegime = Literal["improving", "gain_then_plateau", "gain_then_reversal", "harmful", "unclear"]

FEWEST = 3
"""Least number of rounds, including the start model, for a forecast; two points fit any curve."""
AHEAD = 3
"""Default number of rounds to forecast."""
FARTHEST = 100
"""Largest number of rounds to forecast; intervals become useless long before."""
NOTICEABLE = 0.03
"""Share of the range of values so far below which a change does not count."""
ALIVE = 0.05
"""Least probability at which a family of curves is still possible."""
CERTAIN = 0.8
"""Probability below which a regime is called unclear."""


class NextRound(Interval):
    """The expected measurement of a future round, with its 95 % prediction interval."""

    round: int


class Forecast(Showing, BaseModel):
    """Prediction of future rounds from the rounds so far. Intervals cover 95 %.

    For a quantity without a direction there are only numbers: no best round, no gain, and the regime is
    ``unclear``.

    Attributes:
        next: Future rounds; empty if there are too few rounds so far. The value is what the curves expect,
            averaged with the last value as far as that was the better forecast so far, see `_skill`.
        best_round_so_far: Best measured round, the first one if several are equal; None without rounds.
        best_round: Expected best round among those so far and ``next``, by the curve without noise.
        plateau: Final value of the curve; None if curves without a known end are still possible, or if it is
            less certain than the range of the values so far.
        families: Probability of each family of curves, most likely first, see `_families`; empty if ``next``
            is.
        regime: What the rounds do to the quantity, see `regime_of`; ``unclear`` if none is probable enough,
            or if a curve flattens while endless families are possible.
        probabilities: Probability of each regime; that of ``unclear`` means no change at all.
        gain: Expected improvement of the next round over the last one, in units of the quantity and without
            noise; None if ``next`` is empty.
        gain_per_second: Gain per second of a round, over all stages and workers.
        gain_per_verdict: Gain per judged candidate; None for an arm without a verifier.
        better: Better direction of the quantity; None if it has none.
        split: Split of the numbers: ``validation``, or ``test`` if there is no other.
        ship: The gate's answer: the round that is shown to be better, or 0.
        verdict: Summary in plain language.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

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
    ship: Ship
    verdict: str

    def __repr__(self) -> str:
        k = self.next[0] if self.next else None
        coming = f"round {k.round}: {k.value:.4g} ({k.low:.4g} to {k.high:.4g})." if k else ""
        return in_short("Forecast", coming, self.verdict)

    __str__ = __repr__


def forecast(
    chain: Sequence[RoundRecord],
    name: str,
    quantity: Quantity,
    *,
    ahead: int = AHEAD,
    shipped: Ship | None = None,
) -> Forecast:
    """Forecast a quantity over the rounds after ``chain``.

    The numbers are those used for decisions: of the validation split if there is one. The curve and its noise
    are those of `_curve`; a number with a larger standard error counts less.

    Args:
        chain: Records of one arm, by round. Those without the quantity are skipped.
        name: Name of a quantity measured on held-out real data; never the verifier's own score.
        quantity: Its direction and bounds.
        ahead: Number of rounds to forecast, from 1 to `FARTHEST`.
        shipped: The gate's answer; based on values and standard errors only when None.

    Raises:
        DomainError: ``ahead`` is not positive, or more than `FARTHEST`.
    """
    if not 1 <= ahead <= FARTHEST:
        raise DomainError("rounds to forecast", got=ahead, expected=f"at least 1 and at most {FARTHEST}")
    seen = _seen(chain, name)
    measured, rounds, values, errors = seen
    told = f"Cannot tell yet: {name} was measured in {len(measured)} rounds, and a curve needs {FEWEST}."
    has_direction = quantity.better is not None
    about = Forecast(
        best_round_so_far=int(rounds[np.argmin(quantity.loss(values))])
        if has_direction and len(measured)
        else None,
        better=quantity.better,
        split="validation" if measured and measured[-1].validation else "test",
        ship=shipped or ship(chain, name, quantity),
        verdict=told,
    )
    if len(measured) < FEWEST:
        return about
    last = int(rounds[-1])
    curves = _curves(seen, chain, quantity, last + ahead)
    weight = trust(rounds, values, errors, _sizes(chain, last + TRUSTED), quantity.bounds)
    coming = about.model_copy(
        update={
            "next": tuple(
                NextRound(round=k, **_expected(of_round, weight, values[-1]).model_dump())
                for k, of_round in enumerate(curves.measured.T, last + 1)
            ),
            "plateau": _plateau(curves.limit, float(np.ptp(values))),
            "families": dict(sorted(curves.families.items(), key=lambda item: -item[1])),
            "verdict": f"{name} has no better direction, so it cannot name a round to ship.",
        }
    )
    return _with_regime(coming, seen, curves, quantity) if has_direction else coming


def _with_regime(coming: Forecast, seen: "_Seen", curves: Curves, quantity: Quantity) -> Forecast:
    """Return ``coming`` with the regime of the curves, the gain of the next round and the verdict."""
    measured, rounds, values, errors = seen
    last = int(rounds[-1])
    losses, final = quantity.loss(curves.values), quantity.loss(np.clip(curves.limit, *quantity.bounds))
    regimes = regime_of(losses, final, last, NOTICEABLE * spread_of(quantity.loss(values), errors))
    probabilities: dict[ForecastRegime, float] = {
        regime: float(np.mean(regimes == regime)) for regime in get_args(ForecastRegime)
    }
    likely = max(probabilities, key=lambda regime: probabilities[regime])
    gain = losses[:, last] - losses[:, last + 1]
    certain = probabilities[likely] >= CERTAIN
    if likely == "gain_then_plateau":
        # All other families continue, however slowly.
        certain &= curves.families.get("exponential", 0.0) > 1 - ALIVE
    found = coming.model_copy(
        update={
            "best_round": int(np.argmin(losses.mean(axis=0))),
            "regime": likely if certain else "unclear",
            "probabilities": probabilities,
            "gain": _interval(gain),
            "gain_per_second": _per(gain, [sum(r.seconds.values()) for r in measured if r.round]),
            "gain_per_verdict": _per(gain, [_verdicts(r) for r in measured if r.round]),
        }
    )
    return found.model_copy(update={"verdict": _verdict(found)})


def regime_of(losses: Floats, final: Floats, last: int, noticeable: float) -> NDArray[np.str_]:
    """Return the regime of each curve: those of `veriloop.theory.Regime`, for curves with uncertainty.

    - ``unclear``: no round, nor the end, differs from the start by more than ``noticeable``.
    - ``harmful``: none is better than it by more than that.
    - ``gain_then_reversal``: some is, and a later one or the end is worse than the best by more than that.
    - ``improving``: neither, and the end is better than the last round so far by more than that.
    - ``gain_then_plateau``: none of these.

    Args:
        losses: Values of which lower is better; shape (n, rounds from 0 on).
        final: Final value of each, shape (n,).
        last: Last round so far.
        noticeable: Smallest change that counts.
    """
    # Of a curve whose end is not known, the rounds looked at are all that counts.
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


def chance_of_gain(
    chain: Sequence[RoundRecord], name: str, quantity: Quantity, *, ahead: int, min_gain: float = 0.0
) -> float | None:
    """Return the probability that a future round is better than the best so far, by the curve without noise.

    Args:
        chain: As for `forecast`.
        name: As for `forecast`.
        quantity: As for `forecast`; it has a direction.
        ahead: Number of rounds to consider, at least 1.
        min_gain: Smallest gain that counts, in units of the quantity, if it is also ``NOTICEABLE``.

    Returns:
        The probability; None if too few rounds were measured.

    Raises:
        ConfigError: The quantity has no direction.
    """
    seen = _seen(chain, name)
    if len(seen.values) < FEWEST:
        return None
    last = int(seen.rounds[-1])
    losses = quantity.loss(_curves(seen, chain, quantity, last + ahead).values)
    best = seen.rounds[np.argmin(losses[:, seen.rounds].mean(axis=0))]
    gain = losses[:, best] - losses[:, last + 1 :].min(axis=1)
    least = max(min_gain, NOTICEABLE * spread_of(quantity.loss(seen.values), seen.errors))
    return float(np.mean(gain > least))


class _Seen(NamedTuple):
    """The rounds in which a quantity was measured, its values, and their standard errors, 0 if unknown."""

    records: list[RoundRecord]
    rounds: NDArray[np.int64]
    values: Floats
    errors: Floats


def _seen(chain: Sequence[RoundRecord], name: str) -> _Seen:
    measured = [r for r in chain if name in r.decisive and math.isfinite(r.decisive[name].value)]
    return _Seen(
        measured,
        np.array([r.round for r in measured], np.int64),
        np.array([r.decisive[name].value for r in measured]),
        np.nan_to_num(np.array([r.decisive[name].se for r in measured])),
    )


def _curves(seen: _Seen, chain: Sequence[RoundRecord], quantity: Quantity, horizon: int) -> Curves:
    sizes = _sizes(chain, horizon)
    return draw_curves(seen.rounds, seen.values, seen.errors, horizon, sizes).clipped(*quantity.bounds)


def _sizes(chain: Sequence[RoundRecord], horizon: int) -> list[int]:
    """Return how many samples rounds 1 to ``horizon`` keep: as recorded, then growing as before."""
    kept = {r.round: r.counts.kept for r in chain}
    sizes: list[int] = []
    for k in range(1, horizon + 1):
        grown = 2 * sizes[-1] - sizes[-2] if k > 2 else 0
        sizes.append(kept.get(k, grown))
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


def _expected(draws: Floats, weight: float, last: float) -> Interval:
    """The interval of the draws; its value is their median, averaged with the last value."""
    found = _interval(draws)
    value = weight * found.value + (1 - weight) * last
    return found.model_copy(update={"value": float(np.clip(value, found.low, found.high))})


def _per(gain: Floats, costs: Sequence[float]) -> Interval | None:
    """Return the gain per unit of a round's cost, assuming the next round costs as much as the last."""
    return _interval(gain / costs[-1]) if costs and costs[-1] > 0 else None


def _verdicts(record: RoundRecord) -> int:
    # An arm without a verifier accepts everything it generates, and nothing was judged.
    counts = record.counts
    return counts.generated if counts.rejected or counts.abstained else 0


def _verdict(f: Forecast) -> str:
    ship = f.ship.advice
    remedy = "; improve the verifier, or stop" if f.gain_per_verdict else ""
    match f.regime:
        case "improving":
            return f"Still improving. Continue; to stop now, {ship}."
        case "gain_then_plateau":
            return f"The gain is over, or nearly: the curve flattens. To stop now, {ship}."
        case "gain_then_reversal":
            turn = f"It helps up to about round {f.best_round}, then gets worse."
            if f.best_round is not None and f.best_round >= f.next[0].round:
                return f"{turn} Continue until then; to stop now, {ship}."
            return f"{turn} To stop now, {ship}{remedy}."
        case "harmful":
            return f"By its curve, no round is better than the start model. To stop now, {ship}{remedy}."
    if f.probabilities["gain_then_plateau"] >= CERTAIN:
        flat = "The curve flattens, but endless curves also fit, so it is unknown whether the gain is over."
        return f"{flat} To stop now, {ship}."
    likely = sorted(f.probabilities.items(), key=lambda item: -item[1])[:2]
    words = {"unclear": "no change"}
    shown = ", ".join(f"{words.get(name, name.replace('_', ' '))} {p:.0%}" for name, p in likely)
    return f"Cannot tell yet ({shown}). To stop now, {ship}."
