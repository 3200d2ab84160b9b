"""Means over seeds, and differences of variations paired by seed, widened for how many are looked at.

The interval of a difference is Student's over seeds at the level 1 - 0.05 / m, where m is the number of
differences of the quantity (Bonferroni), without those of equal chains: an arm that no variation touches. So
the probability that any is called different where none is stays below 5 % for each quantity.
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
        variation: Its name.
        arm: The name of the arm.
        round: The round; 0 is the start model.
        mean: Over the seeds.
        low: The lower end of the 95 % interval of the mean: Student's over seeds, or two standard errors of
            the measurement for one seed; NaN where neither is known.
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
    """Variation ``a`` less variation ``b``, on the seeds that both have.

    Attributes:
        a: The name of the one.
        b: The name of the other.
        arm: The arm of both.
        round: The last round that both have finished under every seed.
        mean: Of the differences, in units of the quantity.
        low: The lower end of the interval, widened for the number of differences of this quantity.
        high: The upper end.
        told_apart: Whether the interval excludes 0.
        seeds_needed: How many seeds find a difference as large as the mean in 80 % of cases, at the same
            level; None where the two are equal by construction, or where that is not known.
        n: The number of seeds.
        equal: Whether the two are equal by construction: up to this round, all their numbers are.
        by: What the interval comes from: the differences of ``seeds``; or for one seed those of the held-out
            ``rows``, or the two standard ``errors``, which speak of these two runs only; or ``nothing``.
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
    """Of one quantity: its rows, and the differences at the end."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]

    @property
    def comparisons(self) -> int:
        """How many differences the intervals are widened for."""
        return sum(not d.equal for d in self.differences)


def table(name: str, chains: Sequence[Chain]) -> Table:
    """The table of the quantity ``name``."""
    groups = _grouped(chains)
    rows = [row for key, group in groups.items() for row in _rows(name, key, group)]
    pairs = list(_pairs(name, groups))
    values = [np.array([_of(name, a, b, p.round) for a, b in zip(p.a, p.b, strict=True)]) for p in pairs]
    comparisons = sum(not p.equal for p in pairs)
    differences = [_difference(name, p, v, comparisons) for p, v in zip(pairs, values, strict=True)]
    return Table(rows=tuple(rows), differences=tuple(differences))


def contrast(values: NDArray[np.float64], comparisons: int = 1) -> tuple[float, float, float, int | None]:
    """The mean of paired differences, its widened interval, and how many pairs would do.

    Args:
        values: A difference for each seed, shape (n,), n at least 2 unless they are all 0.
        comparisons: How many such contrasts are looked at together.

    Returns:
        The mean, the two ends of the interval, and `Difference.seeds_needed`.
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
    """`contrast` of a difference that is the same in every seed, so that Student's interval has no width.

    A quantity of few values, such as a share of 20 rows, is often so by luck. Equal signs are then all the
    evidence: by luck, n of them come once in 2^(n - 1).
    """
    enough = 1 + math.ceil(math.log2(comparisons / (1 - LEVEL)))
    half = 0.0 if n >= enough else abs(mean)
    return mean, mean - half, mean + half, enough


def _needed(spread: float, difference: float, quantile: float) -> int | None:
    """How many pairs find ``difference`` with `POWER`; ``spread`` is the standard deviation of one pair's."""
    if not difference > 0:
        return None

    def needed(freedom: float) -> float:
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
        """Whether the chains have equal numbers up to the round: nothing that varies touches them."""
        return all(
            _numbers(a, self.round) == _numbers(b, self.round) for a, b in zip(self.a, self.b, strict=True)
        )


def _grouped(chains: Sequence[Chain]) -> dict[_Key, list[Chain]]:
    """The chains of each variation and arm, by seed. Seeds that have only begun wait until they have not."""
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
    """The mean over seeds and its 95 % interval by Student's t; NaN for a single seed."""
    n, mean = len(values), float(values.mean())
    if n == 1:
        return mean, math.nan, math.nan
    half = student_quantile(n - 1, (1 + LEVEL) / 2) * float(values.std(ddof=1)) / math.sqrt(n)
    return mean, mean - half, mean + half


def _pairs(name: str, groups: Mapping[_Key, Sequence[Chain]]) -> Iterator[_Pair]:
    """Two variations of each arm under equal seeds, after the last round that all of these have measured."""
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
    """The standard error of the difference of two models, on the rows that they share if they do."""
    same_data = a.dataset == b.dataset
    one, other = (c.folder.rows(round_, c.arm_of_run, name, "test") if same_data else None for c in (a, b))
    if one is not None and other is not None and len(one) == len(other) > 1:
        rows = np.asarray(one, float) - np.asarray(other, float)
        return float(rows.std(ddof=1)) / math.sqrt(len(rows)), "rows"
    found = [c.estimate(name, round_) for c in (a, b)]
    se = math.hypot(*(e.se for e in found if e is not None))
    return (se, "errors") if math.isfinite(se) and se > 0 else (math.nan, "nothing")
