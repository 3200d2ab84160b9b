"""A stranger's metric is judged by the direction that it declares, and by nothing else."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.loop import run
from veriloop.metrics.base import Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate


class Quality(Metric, frozen=True):
    """The inverse of the spread of the samples: it rises where only the best are kept."""

    quantities: ClassVar[Mapping[str, Quantity]] = {"quality": Quantity(better="higher")}

    def measure(self, evaluation, rng):
        x, label = evaluation.generated.array("x"), evaluation.generated.array("label")
        spread = np.mean([x[label == c].std() for c in range(3)])
        return {"quality": Estimate(float(1 / spread), 0.001)}


class Regret(Quality, frozen=True):
    """The same number, of which less would be better."""

    quantities: ClassVar[Mapping[str, Quantity]] = {"quality": Quantity(better="lower")}


class Number(Quality, frozen=True):
    """The same number, of which nobody says which way is better."""

    quantities: ClassVar[Mapping[str, Quantity]] = {"quality": Quantity()}


def config(metric: str, when: str) -> dict:
    tiny = "veriloop.testing.tiny"
    return {
        "rounds": 6,
        "dataset": f"{tiny}:TinyData",
        "learner": f"{tiny}:TinyLearner",
        "verifier": f"{tiny}:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.5},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 60},
        "metrics": [f"{__name__}:{metric}"],
        "stop": {"when": when, "quantity": "quality", "patience": 2},
        "arms": ["verified"],
    }


@pytest.mark.parametrize("when", ["plateau", "reversal"])
def test_a_rising_metric_of_which_more_is_better_goes_to_the_last_round(when, tmp_path):
    folder = run(plan_from(config("Quality", when)), tmp_path / "run")
    values = [record.metrics["quality"].value for record in folder.records()]
    assert len(values) == 7
    assert values[-1] > values[0] + 0.1


@pytest.mark.parametrize("when", ["plateau", "reversal"])
def test_a_rising_metric_of_which_less_is_better_ends_the_arm(when, tmp_path):
    folder = run(plan_from(config("Regret", when)), tmp_path / "run")
    assert len(folder.records()) < 7
    assert "verified" in folder.manifest().stopped_arms


@pytest.mark.parametrize("when", ["plateau", "reversal"])
def test_a_metric_without_a_direction_is_refused(when):
    with pytest.raises(ConfigError, match=r"direction|no better direction"):
        plan_from(config("Number", when))
