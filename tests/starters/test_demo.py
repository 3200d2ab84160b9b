"""The demonstration shows what it is there to show."""

from pathlib import Path

import pytest

from veriloop.config import load_plan
from veriloop.loop import run
from veriloop.starters.demo import demo_plan

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_two_rounds_already_part_the_arms(tmp_path):
    plan = demo_plan(seed=0, rounds=2)
    metrics = tuple(m for m in plan.metrics if m.kind == "frechet")
    arms = {name: plan.arms[name] for name in ("verified", "unverified")}
    folder = run(plan.model_copy(update={"metrics": metrics, "arms": arms}), tmp_path / "run")
    last = {(r.arm, r.round): r.metrics["frechet"] for r in folder.records()}
    start, verified, unverified = (last[key] for key in (("verified", 0), ("verified", 2), ("unverified", 2)))
    error = (start.se**2 + verified.se**2) ** 0.5
    assert verified.value < 0.7 * start.value - 3 * error
    assert unverified.value > start.value


def test_the_plan_is_the_example():
    assert load_plan(EXAMPLES / "digits.yaml") == demo_plan()
