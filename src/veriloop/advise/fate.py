"""From error rates to the effect of a verifier on repeated retraining.

Selection multiplies the odds of good to bad samples by ``phi / psi``, where phi is the share of good samples
that is kept and psi that of bad ones. A model trained on the kept samples generates such samples, and so on:
the odds grow or fall by this factor in each round. If a share p of labels is wrong, most of the kept ones are
correct up to ``p* = 1 / (1 + psi / phi)`` (Y. Feng, E. Dohmatob, P. Yang, F. Charton, J. Kempe, arXiv
2406.07515).
"""

import math
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from .intervals import Interval, Share


class Fate(BaseModel):
    """The effect of selection, from the shares kept; 95 % intervals from Wilson's of the two shares.

    Attributes:
        kept_good: The share phi; abstentions are not kept.
        kept_bad: The share psi.
        j: ``phi - psi`` (W. J. Youden, 1950): above 0 samples improve, below 0 they get worse, at 0 it is a
            coin toss.
        odds_factor: ``phi / psi``, the factor on the odds of good to bad per round.
        noise_limit: ``p* = 1 / (1 + psi / phi)``, the share of bad samples from which even the kept ones are
            mostly bad.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    kept_good: Share
    kept_bad: Share
    j: Interval
    odds_factor: Interval
    noise_limit: Interval


def fate(kept_good: Share, kept_bad: Share) -> Fate:
    """Return the effect of retraining on what is kept."""
    factor = _ratio(kept_good, kept_bad)
    limit = Interval(value=_limit(factor.value), low=_limit(factor.low), high=_limit(factor.high))
    return Fate(
        kept_good=kept_good,
        kept_bad=kept_bad,
        j=_difference(kept_good, kept_bad),
        odds_factor=factor,
        noise_limit=limit,
    )


def _difference(one: Share, other: Share) -> Interval:
    """Return Newcombe's interval: the distances to Wilson's bounds add in squares.

    R. G. Newcombe, Statistics in Medicine 17, 1998, method 10.
    """
    value = one.value - other.value
    return Interval(
        value=value,
        low=value - math.hypot(one.value - one.low, other.high - other.value),
        high=value + math.hypot(one.high - one.value, other.value - other.low),
    )


def _ratio(one: Share, other: Share) -> Interval:
    """Return the interval of a ratio (A. Donner, G. Y. Zou, Stat. Methods in Medical Research 21, 2012)."""
    p, q = one.value, other.value

    def bound(a: float, b: float, sign: float) -> float:
        """Return one end of the interval, for limits ``a`` and ``b`` of the two shares."""
        below = b * (2 * q - b)
        if below == 0:
            return math.inf
        inside = max((p * q) ** 2 - a * (2 * p - a) * below, 0.0)
        return (p * q + sign * math.sqrt(inside)) / below

    if q == 0:  # nothing bad is kept: no upper bound, and the lower one is that of the two bounds
        return Interval(value=math.inf if p else math.nan, low=one.low / other.high, high=math.inf)
    return Interval(value=p / q, low=bound(one.low, other.high, -1.0), high=bound(one.high, other.low, 1.0))


def _limit(factor: float) -> float:
    return 1.0 if math.isinf(factor) else factor / (1 + factor)
