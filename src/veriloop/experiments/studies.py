"""Studies: arms that differ in one thing, compared round by round over seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student_t

from ..advise.paired import Reading
from ..advise.versus import Versus, versus
from ..comparison.runs import Recorded
from ..loop.plan import Plan, quantities_of
from ..quantity import Quantity
from ..records import Estimate
from ..theory.validation import Floats


class Line(NamedTuple):
    """A curve of a study: an arm of a run, and what it is called."""

    label: str
    setting: str
    arm: str


@dataclass(frozen=True)
class Study:
    """A question, and the arms that answer it.

    Attributes:
        name: A short name, for ``--only`` and for files.
        title: What is varied, as a heading.
        plans: The runs it needs, by setting. Studies may share a run: equal names are equal plans.
        lines: Its curves, in order. They may be arms of several runs, because all runs of a seed that have
            equal data and an equal learner have the same start model, bit for bit.
        ordered: Whether the order of the lines means more and more of something.
    """

    name: str
    title: str
    plans: Mapping[str, Plan]
    lines: tuple[Line, ...]
    ordered: bool = False

    def quantity(self, name: str) -> Quantity:
        """What its plans' metrics say that ``name`` means."""
        known = [quantities_of(plan.metrics) for plan in self.plans.values()]
        found = next((quantities[name] for quantities in known if name in quantities), Quantity())
        return replace(found, title=found.title or name)

    def is_bound(self, line: Line) -> bool:
        """Whether a line is one model of all real data, and no chain of rounds."""
        return self.plans[line.setting].arms[line.arm].train_on == "real"


class Interval(NamedTuple):
    """A mean over seeds and its 95 % interval, shape ``(...)`` each."""

    mean: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Curve:
    """A metric of a line over the rounds.

    Attributes:
        line: Which line.
        seeds: Of the rows.
        values: Shape ``(seeds, 1 + rounds)``.
        errors: The measurements' own standard errors, same shape.
    """

    line: Line
    seeds: tuple[int, ...]
    values: Floats
    errors: Floats

    def until(self, rounds: int | None) -> "Curve":
        """Its first ``rounds`` points."""
        return replace(self, values=self.values[:, :rounds], errors=self.errors[:, :rounds])

    @property
    def band(self) -> Interval:
        """The mean over seeds with its interval; for one seed, two standard errors of the measurement."""
        if len(self.seeds) == 1:
            value, error = self.values[0], 2 * np.nan_to_num(self.errors[0])
            return Interval(value, value - error, value + error)
        return interval(self.values)


def interval(values: Floats) -> Interval:
    """The mean over the first axis (seeds) and its 95 % interval by Student's t; NaN for a single seed."""
    seeds = len(values)
    mean = values.mean(axis=0)
    if seeds == 1:
        unknown = np.full_like(mean, np.nan)
        return Interval(mean, unknown, unknown)
    half = student_t.ppf(0.975, seeds - 1) * values.std(axis=0, ddof=1) / np.sqrt(seeds)
    return Interval(mean, mean - half, mean + half)


def curve(line: Line, metric: str, runs: Iterable[Recorded], begun: bool = False) -> Curve | None:
    """The curve of ``metric`` along ``line``; None if nothing of it was measured.

    An arm that ended early in one seed and not in another is compared over the rounds that all have. With
    ``begun``, a seed that has finished no round yet is left out where another has.
    """
    missing = Estimate(None, None)
    chains: dict[int, list[Estimate]] = {}
    for job, _, records in runs:
        if job.setting == line.setting:
            chain = sorted((r for r in records if r.arm == line.arm), key=lambda r: r.round)
            chains[job.plan.seed] = [r.metrics.get(metric, missing) for r in chain]
    if begun:
        chains = {seed: chain for seed, chain in chains.items() if len(chain) > 1} or chains
    rounds = min((len(chain) for chain in chains.values()), default=0)
    if rounds == 0:
        return None
    values = np.array([[e.value for e in chain[:rounds]] for chain in chains.values()])
    errors = np.array([[e.se for e in chain[:rounds]] for chain in chains.values()])
    return None if np.isnan(values).all() else Curve(line, tuple(chains), values, errors)


def curves(study: Study, metric: str, runs: Sequence[Recorded]) -> list[Curve]:
    """The study's lines for which ``metric`` was measured, over the seeds and rounds that all have."""
    found = _of_lines(study, metric, runs)
    seeds = set[int]().union(*(c.seeds for c in found)).intersection(*(c.seeds for c in found))
    # Drawn anew, since a seed that falls out may have been the shortest.
    common = [run for run in runs if run.job.plan.seed in seeds]
    found = _of_lines(study, metric, common)
    rounds = min((c.values.shape[1] for c in found if not study.is_bound(c.line)), default=None)
    # A bound that is not trained yet has nothing but the start model to show.
    shown = [c for c in found if not study.is_bound(c.line) or c.values.shape[1] > 1]
    return [c if study.is_bound(c.line) else c.until(rounds) for c in shown]


def _of_lines(study: Study, metric: str, runs: Sequence[Recorded]) -> list[Curve]:
    drawn = (curve(line, metric, runs, begun=not study.is_bound(line)) for line in study.lines)
    return [c for c in drawn if c is not None]


def summary(curve: Curve, quantity: Quantity) -> dict[str, Any]:
    """Start, best and last value of a quantity, and the change from start to last, over seeds.

    ``late`` is the change from the middle round on: whether a curve flattens is seen by it and its interval.

    The best round is that of the mean over seeds; the last one where neither way is better.
    """
    values = curve.values
    last = values.shape[1] - 1
    best = last if quantity.better is None else int(quantity.loss(values.mean(axis=0)).argmin())
    return {
        "seeds": curve.seeds,
        "start": _over_seeds(values[:, 0]),
        "best": _over_seeds(values[:, best]),
        "best_round": best,
        "last": _over_seeds(values[:, -1]),
        "last_round": last,
        "change": _over_seeds(values[:, -1] - values[:, 0]),
        "late": _over_seeds(values[:, -1] - values[:, last // 2]),
        "late_from": last // 2,
        "ratio": _over_seeds(_ratio(values[:, -1], values[:, 0])),
    }


def apart(a: Curve, b: Curve) -> bool | None:
    """Whether the 95 % intervals over seeds of two curves' last values are apart; None for a single seed."""
    first, second = interval(a.values[:, -1]), interval(b.values[:, -1])
    if np.isnan(first.low) or np.isnan(second.low):
        return None
    return bool(first.high < second.low or second.high < first.low)


def difference(a: Curve, b: Curve) -> dict[str, Any]:
    """The last values of ``a`` less those of ``b``, seed by seed."""
    return _over_seeds(a.values[:, -1] - b.values[:, -1])


def coin(a: Curve, b: Curve, metric: str, quantity: Quantity) -> Versus:
    """Whether ``a`` ends better than ``b``: by seeds, or for one seed by the standard errors alone."""
    last = a.values.shape[1] - 1
    ends = zip(*(zip(c.values[:, -1], c.errors[:, -1], strict=True) for c in (a, b)), strict=True)
    pairs = [(Reading(Estimate(*ours)), Reading(Estimate(*theirs))) for ours, theirs in ends]
    return versus(pairs, metric, quantity, arms=(a.line.arm, b.line.arm), round_=last)


def _ratio(a: Floats, b: Floats) -> Floats:
    """``a / b``, and NaN where b is 0: a recall may be."""
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b != 0)


def _over_seeds(values: Floats) -> dict[str, Any]:
    return {**interval(values)._asdict(), "values": values}
