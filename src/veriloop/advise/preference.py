"""Test whether a judge prefers traits unrelated to quality: length, or position."""

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..laws import ranks
from .intervals import Interval, Share, Z, wilson


class Preference(BaseModel):
    """Rank correlation of scores with an irrelevant trait, among samples with the same known label."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    correlation: Interval
    samples: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval excludes zero."""
        return self.correlation.low > 0 or self.correlation.high < 0


def preference(
    score: NDArray[np.floating], trait: NDArray[np.floating], good: NDArray[np.bool_]
) -> Preference:
    """Return Spearman's correlation of ``score`` and ``trait`` within good and within bad samples, pooled.

    Ranks are computed and centred within each class, so longer good samples alone show no preference. The
    interval is Fisher's, with the variance (1 + r^2 / 2) / (n - 2 - classes) of ranks: D. G. Bonett, T. A.
    Wright, Sample size requirements for estimating Pearson, Kendall and Spearman correlations, 2000.

    Args:
        score: Scores, shape (n,), higher is better; samples without a finite score are left out.
        trait: Values of the trait, shape (n,), such as the length of a text.
        good: Known labels, shape (n,).
    """
    seen = np.isfinite(score) & np.isfinite(trait)
    score, trait, good = score[seen], trait[seen], good[seen]
    parts = [(_centred_ranks(score[c]), _centred_ranks(trait[c])) for c in (good, ~good) if c.any()]
    x, y = (np.concatenate(side) for side in zip(*parts, strict=True)) if parts else (np.empty(0),) * 2
    spread, freedom = math.sqrt((x @ x) * (y @ y)), len(x) - 2 - len(parts)
    nothing = Interval(value=math.nan, low=math.nan, high=math.nan)
    if spread == 0 or freedom < 1:
        return Preference(correlation=nothing, samples=len(x))
    r = float(np.clip(x @ y / spread, -1, 1))
    if abs(r) > 1 - 1e-12:
        return Preference(correlation=Interval(value=r, low=r, high=r), samples=len(x))
    middle, half = math.atanh(r), Z * math.sqrt((1 + r * r / 2) / freedom)
    interval = Interval(value=r, low=math.tanh(middle - half), high=math.tanh(middle + half))
    return Preference(correlation=interval, samples=len(x))


def accuracy_by(place: NDArray[Any], right: NDArray[np.bool_], judged: NDArray[np.bool_]) -> dict[str, Share]:
    """Return the share of correct decisions at each value of ``place``, such as which answer was shown first.

    Args:
        place: Values to group by, shape (n,).
        right: Whether the decision was correct, shape (n,).
        judged: Whether there was a decision; abstentions are left out.
    """
    return {
        str(value): wilson(
            int((right & judged & (place == value)).sum()), int((judged & (place == value)).sum())
        )
        for value in np.unique(place).tolist()
    }


def _centred_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    found = ranks(values)
    return found - found.mean()
