"""Measure what a round keeps with the plan's own metric, on kept samples instead of a model's."""

import math
from pathlib import Path

import numpy as np
from typing_extensions import override

from ..errors import ConfigError
from ..executors.threads import limit_threads
from ..generator import Generator
from ..loop import seam
from ..loop.gather import condition_rows
from ..metrics.base import Evaluation, Metric
from ..rng import Address
from ..samples import Samples, concat
from .replay import Replay


class _Absent(Generator):
    """Placeholder for the model, which does not exist yet."""

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
        fix="name another with --metric, or train a trial model: --trial 0.25",
    )


class Scale:
    """A metric of the plan, to measure what a round keeps directly, or by a trial model.

    Args:
        again: Round.
        name: Name of the quantity.
        trial: Share of a kept set that a trial model is trained on; None to measure the set itself.
        init: Model that trial models start from.
    """

    def __init__(
        self, again: Replay, metric: Metric, name: str, trial: float | None, init: Generator | None
    ) -> None:
        data = again.context.data
        self.name: str = name
        self._metric = metric
        self._trial = trial
        self._init = init
        self._plan = again.context.plan
        self._data = data
        self._real = data.test
        self._asked = data.test_conditions
        if data.validation is not None and len(data.validation):
            self._real, self._asked = data.validation, data.validation_conditions

    @classmethod
    def of(
        cls, again: Replay, name: str, trial: float | None = None, init: Generator | None = None
    ) -> "Scale":
        """Return the metric of the round's plan that measures ``name``.

        Raises:
            ConfigError: There is none; or, without a trial, the data have prompts of their own.
        """
        plan, data = again.context.plan, again.context.data
        if data.test_conditions is not None and trial is None:
            raise ConfigError(
                "what a round keeps answers other prompts than the held-out ones, which say nothing of it",
                expected="data without prompts of their own, such as labelled images",
                fix="train a trial model on a share of it: --trial 0.25",
            )
        metric = next((m for m in plan.metrics if name in seam.quantities(m)), None)
        if metric is None:
            raise ConfigError(
                "no metric of the plan measures", got=name, expected="--metric with another name"
            )
        return cls(again, metric, name, trial, init)

    def of_kept(self, kept: Samples, again: Replay | None = None) -> tuple[float, float]:
        """Return the quantity of kept samples and its standard error.

        Args:
            kept: Samples that a round keeps.
            again: Round whose candidates replace classes missing from ``kept``.
        """
        if not len(kept):
            return math.nan, math.nan
        rng = Address(self._plan.seed, "reverify").rng()
        with limit_threads(self._plan.threads):
            if self._trial is None:
                evaluation = Evaluation(_Absent(), self._weighed(kept, again, rng), self._real)
            else:
                evaluation = self._tried(kept, self._trial, rng)
            found = seam.measure(self._metric, evaluation, rng)[self.name]
        return found.value, found.se

    def _tried(self, kept: Samples, share: float, rng: np.random.Generator) -> Evaluation:
        """Train a model on a share of ``kept`` with the plan's learner, and return its evaluation."""
        few = kept.select(rng.permutation(len(kept))[: max(1, round(share * len(kept)))])
        model = seam.fit(self._plan.learner, few, self._init, rng)
        pool, n = self._data.conditions, self._plan.evaluation_samples
        if self._asked is not None:
            pool, n = self._asked, min(n, len(self._asked))
        asked = condition_rows(pool, 0, n)
        return Evaluation(model, seam.sample(model, n, rng, asked, self._data.start), self._real)

    def _weighed(self, kept: Samples, again: Replay | None, rng: np.random.Generator) -> Samples:
        """Return samples for the conditions of the evaluation, each class drawn from the kept ones."""
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
    """Return each row's conditions as one text."""
    return np.array([" ".join(map(str, row)) for row in zip(*(list(samples[n]) for n in names), strict=True)])


def _with_missing(kept: Samples, again: Replay, names: list[str]) -> Samples:
    """Return ``kept``, plus all candidates of classes of which nothing is kept."""
    there, made = _classes(kept, names), again.remade.samples
    missing = ~np.isin(_classes(made, names), there)
    if not missing.any():
        return kept
    return concat([kept, made.only(list(kept)).select(missing)])
