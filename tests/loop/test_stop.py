import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.events import ArmStopped, StopRuleMet
from veriloop.loop import run

BUDGET = {"when": "budget", "candidates": 1_300}  # A round of the verified arm makes 600.


def rounds_of(folder, arm):
    return [r.round for r in folder.records() if r.arm == arm]


def test_a_rule_ends_the_verified_arm_only(tiny_plan, tmp_path):
    folder = run(tiny_plan(stop=BUDGET), tmp_path / "run")
    assert rounds_of(folder, "verified") == [0, 1, 2]
    assert rounds_of(folder, "unverified") == [0, 1, 2, 3]
    assert folder.manifest().status == "finished"
    assert "1,200 of 1,300 candidates" in folder.manifest().stopped_arms["verified"]
    events, _ = folder.events()
    (met,) = [e for e in events if isinstance(e, StopRuleMet)]
    assert (met.arm, met.round, met.when) == ("verified", 2, "budget")
    assert met.evidence == {"spent": 1_200, "last_round": 600, "limit": 1_300}
    assert [e.arm for e in events if isinstance(e, ArmStopped)] == ["verified"]


def test_the_rounds_before_the_end_are_those_of_a_run_without_a_rule(tiny_plan, tmp_path):
    whole, ended = run(tiny_plan(), tmp_path / "a"), run(tiny_plan(stop=BUDGET), tmp_path / "b")
    assert whole.kept(2, "verified").same_as(ended.kept(2, "verified"))
    assert whole.kept(3, "unverified").same_as(ended.kept(3, "unverified"))


def test_a_rule_on_a_metric(tiny_plan, tmp_path):
    stop = {"when": "plateau", "metric": "gap", "patience": 1, "min_gain": 1e9}
    arms = {"verified": {"stop": None}, "unverified": {"verifier": None, "stop": stop}}
    folder = run(tiny_plan(arms=arms), tmp_path / "run")
    assert rounds_of(folder, "verified") == [0, 1, 2, 3]
    assert rounds_of(folder, "unverified") == [0, 1], "named for this arm, so it holds for it"


@pytest.mark.parametrize("lost", ["the decision", "a round"])
def test_a_killed_run_decides_the_same(tiny_plan, tmp_path, lost):
    plan = tiny_plan(stop=BUDGET, arms=["verified"])
    folder = run(plan, tmp_path / "run")
    decided = folder.manifest().stopped_arms
    folder.write_manifest(folder.manifest().model_copy(update={"stopped_arms": {}, "status": "running"}))
    if lost == "a round":
        path = folder.path / "records.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    run(plan, folder.path, resume="always")
    assert folder.manifest().stopped_arms == decided
    assert rounds_of(folder, "verified") == [0, 1, 2]


def test_a_stopped_arm_stays_stopped(tiny_plan, tmp_path):
    plan = tiny_plan(stop=BUDGET)
    folder = run(plan, tmp_path / "run")
    run(plan, folder.path, resume="always")
    assert sum(isinstance(e, StopRuleMet) for e in folder.events()[0]) == 1


def test_the_metric_must_be_one_of_the_run(tiny_config):
    with pytest.raises(ConfigError, match=r"arms\.verified\.stop\.metric.*'gpa'.*Did you mean 'gap'"):
        plan_from({**tiny_config, "stop": {"when": "plateau", "metric": "gpa"}})


def test_plans_without_a_rule_are_those_of_before(tiny_plan):
    assert all("stop" not in arm for arm in tiny_plan().config()["arms"].values())
    plan = tiny_plan(stop=BUDGET)
    assert plan_from(plan.config()) == plan
