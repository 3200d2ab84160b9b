"""Studies: lines that differ in one thing. Each line is an arm of a run and a variation in a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..advise.paired import Reading
from ..advise.versus import Versus, versus
from ..comparison.chains import Chain, chains_of
from ..comparison.differences import mean_interval
from ..comparison.runs import Recorded
from ..comparison.variations import AS_GIVEN
from ..loop.plan import Plan, quantities_of
from ..quantity import Quantity
from ..records import Estimate
from ..theory.validation import Floats

MAIN = "main"
"""Name of the study that shows the claim, and of its only run."""


class Line(NamedTuple):
    """A curve of a study: an arm of a run, and its label."""

    label: str
    setting: str
    arm: str


@dataclass(frozen=True)
class Study:
    """A question, and the arms that answer it.

    Attributes:
        name: Short name, for ``--only`` and for files.
        title: What is varied, as a heading.
        plans: Plans of the runs that it needs, by setting. Studies may share a run: equal names mean equal
            plans.
        lines: Its curves, in order. They may be arms of several runs, because all runs of a seed with the
            same data and learner have the same start model, bit for bit.
        arm: Arm that the lines vary, under whose name they are compared; None if each line is another arm.
    """

    name: str
    title: str
    plans: Mapping[str, Plan]
    lines: tuple[Line, ...]
    arm: str | None = None

    def quantity(self, name: str) -> Quantity:
        """Return the quantity ``name``, as the metrics of its plans declare it."""
        known = [quantities_of(plan.metrics) for plan in self.plans.values()]
        found = next((quantities[name] for quantities in known if name in quantities), Quantity())
        return replace(found, title=found.title or name)

    def chains(self, runs: Mapping[str, Sequence[Chain]]) -> list[Chain]:
        """Return its lines for a comparison, over the seeds and rounds that all of them have.

        Args:
            runs: Arms of all runs, by setting.
        """
        found: list[Chain] = []
        for line in self.lines:
            own = [chain for chain in runs.get(line.setting, ()) if chain.arm == line.arm]
            if self.arm is not None:
                own = [replace(c, variation=line.label, arm=self.arm, own_arm=c.arm) for c in own]
            found += own
        return alike(found)

    def of_line(self, line: Line, chains: Sequence[Chain]) -> list[Chain]:
        """Return the chains of a line, by seed."""
        name = AS_GIVEN if self.arm is None else line.label
        own = [c for c in chains if c.variation == name and c.arm_of_run == line.arm]
        return sorted(own, key=lambda c: c.seed)


def read(runs: Sequence[Recorded]) -> dict[str, list[Chain]]:
    """Return the arms of runs, by the setting of the run."""
    found: dict[str, list[Chain]] = {}
    for run in runs:
        found.setdefault(run.job.setting, []).extend(chains_of(AS_GIVEN, run.folder))
    return found


def alike(chains: Sequence[Chain]) -> list[Chain]:
    """Return the chains of the seeds that all lines have, cut to the rounds that all have finished.

    A seed without a finished round is left out if other seeds have one. A bound is a single model, not a
    chain of rounds: it is shown once it is trained for all seeds.
    """
    lines: dict[tuple[str, str], list[Chain]] = {}
    for chain in chains:
        lines.setdefault((chain.variation, chain.arm), []).append(chain)
    begun = [[c for c in line if c.is_bound or c.last > 0] or line for line in lines.values()]
    seeds = set[int]().union(*({c.seed for c in line} for line in begun))
    seeds = seeds.intersection(*({c.seed for c in line} for line in begun))
    chosen = [c for line in begun for c in line if c.seed in seeds]
    rounds = min((c.last for c in chosen if not c.is_bound), default=0)
    trained = all(c.last > 0 for c in chosen if c.is_bound)
    return [
        c if c.is_bound else replace(c, records=tuple(r for r in c.records if r.round <= rounds))
        for c in chosen
        if trained or not c.is_bound
    ]


def values_of(chains: Sequence[Chain], metric: str) -> Floats | None:
    """Return a metric of a line, shape ``(seeds, 1 + rounds)``; None if it was not measured."""
    if not chains:
        return None
    rounds = min(chain.last for chain in chains)
    missing = Estimate(None, None)
    found = np.array(
        [[(c.estimate(metric, k) or missing).value for k in range(rounds + 1)] for c in chains], float
    )
    return None if np.isnan(found).all() else found


def summary(values: Floats, seeds: Sequence[int], quantity: Quantity) -> dict[str, Any]:
    """Return start, best and last value of a quantity, and the change from start to last, over seeds.

    ``late`` is the change from the middle round on; its interval shows whether a curve flattens. The best
    round is that of the mean over seeds, or the last one if the quantity has no better direction.

    Args:
        values: Values, shape ``(seeds, 1 + rounds)``.
        seeds: Seed of each row.
        quantity: Measured quantity.
    """
    last = values.shape[1] - 1
    best = last if quantity.better is None else int(quantity.loss(values.mean(axis=0)).argmin())
    return {
        "seeds": tuple(seeds),
        "start": over_seeds(values[:, 0]),
        "best": over_seeds(values[:, best]),
        "best_round": best,
        "last": over_seeds(values[:, -1]),
        "last_round": last,
        "change": over_seeds(values[:, -1] - values[:, 0]),
        "late": over_seeds(values[:, -1] - values[:, last // 2]),
        "late_from": last // 2,
        "ratio": over_seeds(_ratio(values[:, -1], values[:, 0])),
    }


def over_seeds(values: Floats) -> dict[str, Any]:
    """Return the mean of ``values``, shape ``(seeds,)``, with its 95 % interval, and the values."""
    mean, low, high = mean_interval(values)
    return {"mean": mean, "low": low, "high": high, "values": values}


def apart(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool | None:
    """Return whether the intervals of two results of `over_seeds` do not overlap; None for a single seed."""
    if np.isnan(a["low"]) or np.isnan(b["low"]):
        return None
    return bool(a["high"] < b["low"] or b["high"] < a["low"])


def coin(a: Sequence[Chain], b: Sequence[Chain], metric: str, quantity: Quantity) -> Versus:
    """Return whether ``a`` ends better than ``b``, by seeds, or for one seed by the standard errors."""
    last = min(chain.last for chain in a)
    missing = Estimate(None, None)
    pairs = [
        (Reading(one.estimate(metric, last) or missing), Reading(other.estimate(metric, last) or missing))
        for one, other in zip(a, b, strict=True)
    ]
    return versus(pairs, metric, quantity, arms=(a[0].arm, b[0].arm), round_=last)


def _ratio(a: Floats, b: Floats) -> Floats:
    """Return ``a / b``; NaN where b is 0, as a recall may be."""
    return np.divide(a, b, out=np.full_like(a, np.nan), where=b != 0)
