"""How good is what a round keeps? The plan's own metric, on kept samples in place of a model's."""

import math
from pathlib import Path

import numpy as np
from typing_extensions import override

from ..datasets.base import RealData
from ..errors import ConfigError
from ..executors.threads import limit_threads
from ..generator import Generator
from ..loop import seam
from ..loop.again import Again
from ..loop.gather import condition_rows
from ..loop.plan import Plan
from ..metrics.base import Evaluation, Metric
from ..rng import Address
from ..samples import Samples, concat


class _Absent(Generator):
    """Stands where a metric looks for the model, of which there is none yet."""

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        raise self.asked_for

    @override
    def save(self, directory: Path) -> None:
        raise self.asked_for

    @classmethod
    @override
    def load(cls, directory: Path) -> "_Absent":
        raise cls.asked_for

    asked_for = ConfigError(
        "this quantity needs the model itself, and there is none before training",
        expected="one that looks at samples only, such as frechet",
        fix="name another with --metric",
    )


class Scale:
    """A metric of the plan, to measure what a round keeps in place of a model's samples."""

    def __init__(self, metric: Metric, name: str, plan: Plan, data: RealData) -> None:
        self._metric, self.name, self._plan, self._data = metric, name, plan, data
        self._real = data.validation if data.validation is not None and len(data.validation) else data.test

    @classmethod
    def of(cls, again: Again, name: str) -> "Scale":
        """The metric of the round's plan that measures ``name``.

        Raises:
            ConfigError: There is none, or the data have prompts of their own.
        """
        plan, data = again.context.plan, again.context.data
        if data.test_conditions is not None:
            raise ConfigError(
                "what a round keeps answers other prompts than the held-out ones, which say nothing of it",
                expected="data without prompts of their own, such as labelled images",
                fix="audit each verifier instead",
            )
        metric = next((m for m in plan.metrics if name in seam.quantities(m)), None)
        if metric is None:
            raise ConfigError(
                "no metric of the plan measures", got=name, expected="--metric with another name"
            )
        return cls(metric, name, plan, data)

    def of_kept(self, kept: Samples, again: Again | None = None) -> tuple[float, float]:
        """The quantity of kept samples and its standard error.

        Args:
            kept: What a round keeps.
            again: Where classes are missing from ``kept``, its candidates of them stand in.
        """
        if not len(kept):
            return math.nan, math.nan
        rng = Address(self._plan.seed, "reverify").rng()
        generated = self._weighed(kept, again, rng)
        evaluation = Evaluation(_Absent(), generated, self._real)
        with limit_threads(self._plan.threads):
            found = seam.measure(self._metric, evaluation, rng)[self.name]
        return found.value, found.se

    def _weighed(self, kept: Samples, again: Again | None, rng: np.random.Generator) -> Samples:
        """Samples for the conditions that a model is measured at, each class drawn from those kept of it."""
        n, conditions = self._plan.evaluation_samples, self._data.conditions
        if conditions is None or any(np.ndim(conditions[c]) != 1 for c in conditions):
            return kept
        asked = condition_rows(conditions, 0, n)
        assert asked is not None
        pool = kept if again is None else _with_missing(kept, again, list(conditions))
        wanted, there = _classes(asked, list(conditions)), _classes(pool, list(conditions))
        rows = np.empty(n, np.int64)
        for value in np.unique(wanted):
            have, places = np.flatnonzero(there == value), np.flatnonzero(wanted == value)
            if not len(have):
                return kept
            rows[places] = np.resize(rng.permutation(have), len(places))
        return pool.select(rows)


def _classes(samples: Samples, names: list[str]) -> np.ndarray:
    """Each row's conditions as one text."""
    return np.array([" ".join(map(str, row)) for row in zip(*(list(samples[n]) for n in names), strict=True)])


def _with_missing(kept: Samples, again: Again, names: list[str]) -> Samples:
    """``kept``, and for classes of which nothing is kept all candidates: of them the model stays as it is."""
    there, made = _classes(kept, names), again.remade.samples
    missing = ~np.isin(_classes(made, names), there)
    if not missing.any():
        return kept
    return concat([kept, made.only(list(kept)).select(missing)])
