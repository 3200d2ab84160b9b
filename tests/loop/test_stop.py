import itertools
from typing import ClassVar

import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError, ContractError, VeriloopError
from veriloop.events import ArmStopped, StopRuleMet
from veriloop.loop import run
from veriloop.metrics.base import Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate
from veriloop.report.summary import summarise
from veriloop.store.folder import RunFolder
from veriloop.testing.broken import cut

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
    stop = {"when": "plateau", "quantity": "gap", "patience": 1, "min_gain": 1e9}
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
        cut(folder.path, 2)
    run(plan, folder.path, resume="always")
    assert folder.manifest().stopped_arms == decided
    assert rounds_of(folder, "verified") == [0, 1, 2]


def test_a_stopped_arm_stays_stopped(tiny_plan, tmp_path):
    plan = tiny_plan(stop=BUDGET)
    folder = run(plan, tmp_path / "run")
    run(plan, folder.path, resume="always")
    assert sum(isinstance(e, StopRuleMet) for e in folder.events()[0]) == 1


def test_the_quantity_must_be_one_of_the_run(tiny_config):
    with pytest.raises(ConfigError, match=r"arms\.verified\.stop\.quantity.*'gpa'.*Did you mean 'gap'"):
        plan_from({**tiny_config, "stop": {"when": "plateau", "quantity": "gpa"}})


class Rises(Metric, frozen=True):
    """A stranger's number, which rises round by round."""

    quantities: ClassVar = {"solved": Quantity("Solved", better="higher")}

    def measure(self, evaluation, rng):
        return {name: Estimate(_later(), 0.001) for name in self.quantities}


class Falls(Rises, frozen=True):
    """The same number; here less of it is better."""

    quantities: ClassVar = {"wrong": Quantity("Wrong", better="lower")}


class Neither(Rises, frozen=True):
    """The same number, of which nothing is said."""

    quantities: ClassVar = {"seen": Quantity()}


class Old(Metric, frozen=True):
    """Says what it measures in the words of earlier versions."""

    names: ClassVar = ("solved",)

    def measure(self, evaluation, rng):
        return {}


_calls = itertools.count(2)


def _later():
    return next(_calls) / 10


@pytest.mark.parametrize("when", ["plateau", "reversal"])
def test_a_strangers_rising_number_is_judged_as_its_metric_says(tiny_plan, tmp_path, when):
    rule = {"when": when, "patience": 1}
    rising = tiny_plan(metrics=[f"{__name__}:Rises"], arms=["verified"], stop={**rule, "quantity": "solved"})
    assert rounds_of(run(rising, tmp_path / "up"), "verified") == [0, 1, 2, 3]
    (told,) = summarise(RunFolder(tmp_path / "up"))
    assert told.changes["solved"].verdict == "better"
    worse = tiny_plan(metrics=[f"{__name__}:Falls"], arms=["verified"], stop={**rule, "quantity": "wrong"})
    folder = run(worse, tmp_path / "down")
    assert rounds_of(folder, "verified") == [0, 1]
    (told,) = summarise(folder)
    assert told.changes["wrong"].verdict == "worse"


def test_a_rule_on_a_number_without_a_direction_is_refused(tiny_plan):
    rule = {"when": "plateau", "quantity": "seen"}
    with pytest.raises(
        ConfigError, match=r"stop\.quantity: got 'seen, which has no better direction.*Quantity\(better"
    ):
        tiny_plan(metrics=[f"{__name__}:Neither"], stop=rule)


def test_a_metric_of_an_earlier_version_is_told_the_new_word(tiny_plan):
    with pytest.raises(ContractError, match=r"Old does not declare its quantities.*quantities ="):
        tiny_plan(metrics=[f"{__name__}:Old"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('names = ("solved",)', "non-annotated attribute was detected: `names"),
        (
            'quantities = {"solved": Quantity(better="up")}',
            "Quantity.better: got .*up.* expected 'higher' or 'lower'",
        ),
        ('quantities = ("solved",)', r"got .*solved.*expected a class attribute quantities"),
        ("quantities = {}", r"got '\{\}', expected a class attribute quantities"),
    ],
)
def test_a_metric_that_does_not_say_what_it_measures_is_one_line(
    tiny_plan, tmp_path, monkeypatch, body, message
):
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"own_{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(
        "from veriloop.metrics.base import Metric\nfrom veriloop.quantity import Quantity\n"
        f"class Own(Metric, frozen=True):\n    {body}\n"
        "    def measure(self, evaluation, rng):\n        return {}\n"
    )
    with pytest.raises(VeriloopError, match=message) as error:
        tiny_plan(metrics=[f"{name}:Own"])
    assert "\n" not in str(error.value)


def test_a_plan_is_its_configuration(tiny_plan):
    plan = tiny_plan(stop=BUDGET)
    assert plan_from(plan.config()) == plan
