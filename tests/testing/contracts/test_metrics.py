"""The suite of metrics, with metrics that would mislead a stop rule or a reader."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from veriloop.metrics.base import Evaluation, Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate, RowEstimate
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.testing import check_metric
from veriloop.testing.tiny import TinyData, TinyGenerator, TinyLearner, TinyMetric

DATA = TinyData().load(0)
CONDITION = Samples(label=np.arange(90) % 3)


def evaluation(shift: float = 0.0) -> Evaluation:
    generator = TinyLearner().fit(DATA.start, None, Address(0).rng())
    moved = TinyGenerator(generator.mean + shift, generator.spread)
    return Evaluation(moved, moved.sample(90, Address(1).rng(), CONDITION), DATA.test)


SOUND, WORSE = evaluation(), evaluation(5.0)


class Quality(Metric, frozen=True):
    """A stranger's: higher is better."""

    quantities: ClassVar[Mapping[str, Quantity]] = {"quality": Quantity(better="higher", low=0, high=1)}

    def measure(self, evaluation, rng):
        gap = TinyMetric().measure(evaluation, rng)["gap"]
        quality = float(np.exp(-gap.value))
        return {"quality": Estimate(quality, quality * gap.se)}


@pytest.mark.parametrize("metric", [TinyMetric(), Quality()])
def test_sound_metrics_pass(metric):
    check_metric(metric, SOUND)
    check_metric(metric, SOUND, worse=WORSE)


class Upside(Quality, frozen=True):
    quantities: ClassVar[Mapping[str, Quantity]] = {"quality": Quantity(better="lower")}


def test_a_wrong_direction_is_caught_by_a_worse_model():
    check_metric(Upside(), SOUND)
    with pytest.raises(AssertionError, match="is the direction right"):
        check_metric(Upside(), SOUND, worse=WORSE)


class Silent(Quality, frozen=True):
    def measure(self, evaluation, rng):
        return {}


class Float(Quality, frozen=True):
    def measure(self, evaluation, rng):
        return 0.5


class Floats(Quality, frozen=True):
    def measure(self, evaluation, rng):
        return {"quality": 0.5}


class Certain(Quality, frozen=True):
    def measure(self, evaluation, rng):
        return {"quality": Estimate(0.5, float("nan"))}


class Boundless(Quality, frozen=True):
    def measure(self, evaluation, rng):
        return {"quality": Estimate(1.5, 0.1)}


class Infinite(Quality, frozen=True):
    def measure(self, evaluation, rng):
        return {"quality": Estimate(float("inf"), 0.1)}


class Worded(Quality, frozen=True):
    quantities: ClassVar[Any] = {"quality": "higher is better"}


class Nameless(Quality, frozen=True):
    quantities: ClassVar[Any] = {}


class PartOfNothing(Quality, frozen=True):
    quantities: ClassVar[Mapping[str, Quantity]] = {"quality": Quantity(part_of="whole")}


class Remembering(Quality, frozen=True):
    """What it measures depends on what it has measured."""

    seen: ClassVar[list[float]] = []

    def measure(self, evaluation, rng):
        value = super().measure(evaluation, rng)["quality"].value
        self.seen.append(value)
        return {"quality": Estimate(float(np.mean(self.seen)) / 2, 0.1)}


class OfTheMemo(Quality, frozen=True):
    """Needs that another metric was there before."""

    def measure(self, evaluation, rng):
        calls = evaluation.once("calls", list)
        calls.append(1)
        return {"quality": Estimate(1 / (len(calls) + evaluation.generated.array("x")[0, 0] ** 2), 0.1)}


class Dice(Quality, frozen=True):
    def measure(self, evaluation, rng):
        return {"quality": Estimate(float(np.random.default_rng().random()), 0.1)}


class Crooked(Quality, frozen=True):
    """Its rows have another mean than its number."""

    def measure(self, evaluation, rng):
        return {"quality": RowEstimate(0.5, 0.1, rows=np.array([0.0, 0.5]))}


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        (Silent(), r"promised \('quality',\), measured \(\)"),
        (Float(), "measure gave float, expected a dict"),
        (Floats(), "quality is 0.5, expected an Estimate"),
        (Certain(), "the standard error of quality is nan"),
        (Boundless(), "quality is 1.5, outside its bounds 0 to 1"),
        (Infinite(), "quality is inf"),
        (Worded(), "expected a Quantity"),
        (Nameless(), "at least one quantity"),
        (PartOfNothing(), "part of 'whole', which is not declared"),
        (Remembering(), "whatever was measured before"),
        (Crooked(), "the rows of quality have the mean 0.25"),
        (Dice(), "equal streams must give equal numbers"),
    ],
    ids=lambda m: type(m).__name__,
)
def test_broken_metrics_are_caught(metric, why):
    with pytest.raises(AssertionError, match=why):
        check_metric(metric, SOUND)


def test_a_metric_that_lives_on_the_memo_is_caught():
    used = evaluation()
    check_metric(Quality(), used)
    OfTheMemo().measure(used, Address(0).rng())
    with pytest.raises(AssertionError, match="whatever was measured before"):
        check_metric(OfTheMemo(), used)


class Undeclared(Metric, frozen=True):
    def measure(self, evaluation, rng):
        return {}


def test_a_metric_without_quantities_is_caught():
    with pytest.raises(AssertionError, match="must declare"):
        check_metric(Undeclared(), SOUND)
