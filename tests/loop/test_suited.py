"""Parts see the schema of the data before a run, and the manifest keeps what the user wrote."""

from typing import Any, ClassVar

import numpy as np
import pytest
from typing_extensions import override

from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.generator import Generator
from veriloop.loop import preview, run
from veriloop.loop.again import candidates_again
from veriloop.loop.gold import calibrate_arm
from veriloop.loop.suited import suited
from veriloop.metrics.base import Evaluation
from veriloop.records import Estimate
from veriloop.rules.acceptance import TopFraction
from veriloop.samples import Samples
from veriloop.schema import Schema
from veriloop.testing.tiny import TinyGenerator, TinyLearner, TinyMetric
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import PLACE, Verifier


class OpenLearner(TinyLearner, frozen=True):
    """It must know the number of classes, which the data tell."""

    classes: int | None = None

    @override
    def suited_to(self, schema: Schema) -> "OpenLearner":
        known = schema[schema.one("label", "the learner")].classes
        return self.model_copy(update={"classes": known})

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> TinyGenerator:
        assert self.classes == 3
        return super().fit(samples, init, rng)


class OpenVerifier(Verifier, frozen=True):
    """It must know the columns that it will see."""

    columns: tuple[str, ...] = ()

    @override
    def suited_to(self, schema: Schema) -> "OpenVerifier":
        return self.model_copy(update={"columns": tuple(schema)})

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        assert self.columns == ("x", "label", *PLACE)
        return Verdicts(samples.array("x")[:, 0])


class OpenRule(TopFraction, frozen=True):
    """It must have seen the data's columns."""

    seen: bool = False

    @override
    def suited_to(self, schema: Schema) -> "OpenRule":
        return self.model_copy(update={"seen": list(schema) == ["x", "label"]})

    @override
    def open(self, *args: Any, **kwargs: Any) -> Any:
        assert self.seen
        return super().open(*args, **kwargs)


class OpenMetric(TinyMetric, frozen=True):
    """Likewise."""

    seen: bool = False

    @override
    def suited_to(self, schema: Schema) -> "OpenMetric":
        return self.model_copy(update={"seen": list(schema) == ["x", "label"]})

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        assert self.seen
        return super().measure(evaluation, rng)


class NeedsImages(TinyMetric, frozen=True):
    """Data without an image will not do."""

    needs: ClassVar = ("image",)


OPEN = {
    "learner": f"{__name__}:OpenLearner",
    "verifier": f"{__name__}:OpenVerifier",
    "acceptance": {"kind": f"{__name__}:OpenRule", "fraction": 0.1},
    "metrics": [f"{__name__}:OpenMetric"],
    "rounds": 1,
}


def test_all_that_runs_a_plan_runs_it_suited_to_its_data(tiny_config, tmp_path):
    plan = plan_from({**tiny_config, **OPEN})
    folder = run(plan, tmp_path / "run")
    assert folder.manifest().config == plan.config()
    assert folder.manifest().config["learner"]["classes"] is None
    preview(plan)
    candidates_again(plan, folder, "verified", 1)
    calibrate_arm(plan, folder, "verified", 1, "mislabelled", 50)
    run(plan, folder.path, resume="always")


@pytest.mark.parametrize("start", [run, lambda plan, out: preview(plan)], ids=["run", "preview"])
def test_a_part_that_does_not_suit_is_named_before_anything_is_written(tiny_config, tmp_path, start):
    plan = plan_from({**tiny_config, "metrics": [f"{__name__}:NeedsImages"]})
    with pytest.raises(ConfigError, match=r"metrics\.\S*NeedsImages: .*needs one column of role 'image'"):
        start(plan, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_plan_without_open_settings_stays_equal(tiny_plan):
    assert suited(tiny_plan()) == tiny_plan()
