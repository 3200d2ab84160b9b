"""Means over seeds, and paired differences of variations, with intervals adjusted for multiple comparisons.

The interval of a difference is Student's over seeds at the level 1 - 0.05 / m, where m is the number of
differences of the quantity (Bonferroni), without those of equal chains, such as an arm that no variation
affects. So the probability of reporting any difference if there is none stays below 5 % for each quantity.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ..advise.intervals import LEVEL
from ..advise.versus import MOST, POWER
from ..laws import normal_quantile, student_quantile
from ..records import Estimate, Number
from .chains import Chain


class Row(BaseModel):
    """A quantity of a variation's arm after a round, over seeds.

    Attributes:
        variation: Name of the variation.
        arm: Name of the arm.
        round: Round number; 0 is the start model.
        mean: Mean over the seeds.
        low: Lower end of the 95 % interval of the mean: Student's over seeds, or two standard errors of the
            measurement for one seed; NaN if neither is known.
        high: The upper end.
        n: The number of seeds.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    variation: str
    arm: str
    round: int
    mean: Number
    low: Number
    high: Number
    n: int


class Difference(BaseModel):
    """Variation ``a`` minus variation ``b``, on the seeds that both have.

    Attributes:
        a: Name of the first variation.
        b: Name of the second variation.
        arm: Name of the arm.
        round: Last round that both have finished with every seed.
        mean: Mean of the differences, in units of the quantity.
        low: Lower end of the interval, adjusted for the number of differences of this quantity.
        high: The upper end.
        told_apart: Whether the interval excludes 0.
        seeds_needed: Number of seeds that detects a difference as large as the mean in 80 % of cases, at the
            same level; None if the two are equal by construction, or if unknown.
        n: The number of seeds.
        equal: Whether the two are equal by construction: all their numbers agree up to this round.
        by: Source of the interval: the differences of ``seeds``; or for one seed the held-out ``rows`` or the
            two standard ``errors``, which apply to these two runs only; or ``nothing``.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    a: str
    b: str
    arm: str
    round: int
    mean: Number
    low: Number
    high: Number
    told_apart: bool
    seeds_needed: int | None
    n: int
    equal: bool
    by: str


class Table(BaseModel):
    """The rows of one quantity, and the differences at the end."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]

    @property
    def comparisons(self) -> int:
        """Number of differences that the intervals are adjusted for."""
        return sum(not d.equal for d in self.differences)


def table(name: str, chains: Sequence[Chain]) -> Table:
    """Return the table of the quantity ``name``."""
    groups = _grouped(chains)
    rows = [row for key, group in groups.items() for row in _rows(name, key, group)]
    pairs = list(_pairs(name, groups))
    values = [np.array([_of(name, a, b, p.round) for a, b in zip(p.a, p.b, strict=True)]) for p in pairs]
    comparisons = sum(not p.equal for p in pairs)
    differences = [_difference(name, p, v, comparisons) for p, v in zip(pairs, values, strict=True)]
    return Table(rows=tuple(rows), differences=tuple(differences))


def contrast(values: NDArray[np.float64], comparisons: int = 1) -> tuple[float, float, float, int | None]:
    """Return the mean of paired differences, its adjusted interval, and how many pairs would be needed.

    Args:
        values: Difference for each seed, shape (n,), n at least 2 unless they are all 0.
        comparisons: Number of contrasts considered together.

    Returns:
        Mean, the two ends of the interval, and `Difference.seeds_needed`.
    """
    n, mean = len(values), float(values.mean())
    if not values.any():
        return 0.0, 0.0, 0.0, None
    if np.ptp(values) <= 1e-12 * np.abs(values).max():
        return _without_spread(mean, n, comparisons)
    spread = float(values.std(ddof=1))
    quantile = 1 - (1 - LEVEL) / (2 * comparisons)
    half = student_quantile(n - 1, quantile) * spread / math.sqrt(n)
    return mean, mean - half, mean + half, _needed(spread, abs(mean), quantile)


def _without_spread(mean: float, n: int, comparisons: int) -> tuple[float, float, float, int | None]:
    """Return `contrast` for a difference that is the same in every seed, so that Student's has no width.

    A quantity with few values, such as a share of 20 rows, is often constant by chance. Equal signs are then
    the only evidence: by chance, n equal signs have the probability 1 / 2^(n - 1).
    """
    enough = 1 + math.ceil(math.log2(comparisons / (1 - LEVEL)))
    half = 0.0 if n >= enough else abs(mean)
    return mean, mean - half, mean + half, enough


def _needed(spread: float, difference: float, quantile: float) -> int | None:
    """Return the number of pairs that detect ``difference`` with `POWER`, given a pair's deviation."""
    if not difference > 0:
        return None

    def needed(freedom: float) -> float:
        """Return the number of pairs if the quantiles are those of ``freedom`` degrees of freedom."""
        quantiles = student_quantile(freedom, quantile) + student_quantile(freedom, POWER)
        return (quantiles * spread / difference) ** 2

    n = max(math.ceil(min(needed(math.inf), MOST + 1)), 2)
    while n <= MOST and needed(n - 1) > n:
        n += 1
    return n if n <= MOST else None


class _Key(NamedTuple):
    variation: str
    arm: str


class _Pair(NamedTuple):
    a: Sequence[Chain]
    b: Sequence[Chain]
    round: int

    @property
    def equal(self) -> bool:
        """Whether the chains have equal numbers up to the round, because no variation affects them."""
        return all(
            _numbers(a, self.round) == _numbers(b, self.round) for a, b in zip(self.a, self.b, strict=True)
        )


def _grouped(chains: Sequence[Chain]) -> dict[_Key, list[Chain]]:
    """Return the chains of each variation and arm, by seed. Seeds that have only started are left out."""
    groups: dict[_Key, list[Chain]] = {}
    for chain in sorted(chains, key=lambda c: c.seed):
        groups.setdefault(_Key(chain.variation, chain.arm), []).append(chain)
    order = dict.fromkeys(_Key(c.variation, c.arm) for c in chains)
    return {key: [c for c in groups[key] if c.last > 0] or groups[key] for key in order}


def _rows(name: str, key: _Key, group: Sequence[Chain]) -> Iterator[Row]:
    for round_ in range(min(chain.last for chain in group) + 1):
        found = [e for chain in group if (e := chain.estimate(name, round_)) and math.isfinite(e.value)]
        if not found:
            continue
        mean, low, high = _mean(found)
        yield Row(
            variation=key.variation, arm=key.arm, round=round_, mean=mean, low=low, high=high, n=len(found)
        )


def _mean(found: Sequence[Estimate]) -> tuple[float, float, float]:
    if len(found) == 1:
        value, half = found[0].value, 2 * found[0].se
        return value, value - half, value + half
    return mean_interval(np.array([e.value for e in found]))


def mean_interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean over seeds and its 95 % interval by Student's t; NaN for a single seed."""
    n, mean = len(values), float(values.mean())
    if n == 1:
        return mean, math.nan, math.nan
    half = student_quantile(n - 1, (1 + LEVEL) / 2) * float(values.std(ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def _pairs(name: str, groups: Mapping[_Key, Sequence[Chain]]) -> Iterator[_Pair]:
    """Yield two variations of each arm with equal seeds, after their last common measured round."""
    for arm in dict.fromkeys(key.arm for key in groups):
        of_arm = [group for key, group in groups.items() if key.arm == arm]
        for one, other in combinations(of_arm, 2):
            seeds = {c.seed for c in one} & {c.seed for c in other}
            a, b = ([c for c in group if c.seed in seeds] for group in (one, other))
            if not seeds:
                continue
            for round_ in range(min(c.last for c in (*a, *b)), 0, -1):
                readings = [c.estimate(name, round_) for c in (*a, *b)]
                if all(e is not None and math.isfinite(e.value) for e in readings):
                    yield _Pair(a, b, round_)
                    break


def _difference(name: str, pair: _Pair, values: NDArray[np.float64], comparisons: int) -> Difference:
    if len(values) > 1 or pair.equal:
        by = "seeds"
        mean, low, high, needed = contrast(values, comparisons)
    else:
        mean, needed = float(values[0]), None
        se, by = _error(name, pair.a[0], pair.b[0], pair.round)
        z = normal_quantile(1 - (1 - LEVEL) / (2 * comparisons))
        low, high = mean - z * se, mean + z * se
    return Difference(
        a=pair.a[0].variation,
        b=pair.b[0].variation,
        arm=pair.a[0].arm,
        round=pair.round,
        mean=mean,
        low=low,
        high=high,
        told_apart=bool(low > 0 or high < 0),
        seeds_needed=needed,
        n=len(values),
        equal=pair.equal,
        by=by,
    )


def _numbers(chain: Chain, last: int) -> list[str]:
    return [r.model_dump_json(include={"counts", "metrics"}) for r in chain.records if r.round <= last]


def _of(name: str, a: Chain, b: Chain, round_: int) -> float:
    one, other = a.estimate(name, round_), b.estimate(name, round_)
    assert one is not None
    assert other is not None
    return one.value - other.value


def _error(name: str, a: Chain, b: Chain, round_: int) -> tuple[float, str]:
    """Return the standard error of the difference of two models, on shared rows if there are any."""
    same_data = a.dataset == b.dataset
    one, other = (c.folder.rows(round_, c.arm_of_run, name, "test") if same_data else None for c in (a, b))
    if one is not None and other is not None and len(one) == len(other) > 1:
        rows = np.asarray(one, float) - np.asarray(other, float)
        return float(rows.std(ddof=1)) / math.sqrt(len(rows)), "rows"
    found = [c.estimate(name, round_) for c in (a, b)]
    se = math.hypot(*(e.se for e in found if e is not None))
    return (se, "errors") if math.isfinite(se) and se > 0 else (math.nan, "nothing")
