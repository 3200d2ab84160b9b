"""The examples are plans, and another data set is one line."""

import os
from pathlib import Path

import pytest

from veriloop.config import load_plan
from veriloop.loop import run
from veriloop.loop.data import load_data
from veriloop.metrics.features import familiar_classifier

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda p: p.name)
def test_every_example_is_a_plan_and_survives_its_manifest(path):
    plan = load_plan(path)
    assert type(plan).model_validate(plan.config()) == plan


def test_another_data_set_is_one_line(tmp_path):
    """MNIST's example with Fashion-MNIST: the classifier of the metrics follows by itself."""
    if not (Path(os.environ.get("VERILOOP_DATA", "none")) / "fashion-mnist").is_dir():
        pytest.skip("no fashion-mnist in $VERILOOP_DATA")
    tiny = [
        *("rounds=1", "dataset.train=600", "learner.epochs=1", "learner.min_steps=10", "verifier.epochs=1"),
        *("schedule.n=100", "evaluation_samples=100", "chunk_size=500", "executor=serial"),
        *("metrics=[frechet, accuracy]", "arms=[verified]"),
    ]
    plan = load_plan(ROOT / "examples" / "mnist-small.yaml", ["dataset.kind=fashion-mnist", *tiny])
    folder = run(plan, tmp_path / "run")
    assert [r.metrics["frechet"].value > 0 for r in folder.records()] == [True, True]
    assert familiar_classifier(load_data(plan.dataset, plan.seed).test) == "fashion-mnist"
