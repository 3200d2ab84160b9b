"""A plan in short: settings of all arms, lists of names, kinds as texts; as objects and as in a file."""

import pytest

from veriloop import rules
from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.loop import Arm, Plan
from veriloop.testing.tiny import TinyData, TinyLearner, TinyMetric, TinyVerifier

TINY = "veriloop.testing.tiny"


def test_objects_and_a_file_give_one_plan(tiny_config):
    assert Plan(
        seed=1,
        rounds=3,
        dataset=TinyData(),
        learner=TinyLearner(),
        verifier=TinyVerifier(),
        metrics=[TinyMetric()],
        acceptance=rules.TopFraction(fraction=0.1),
        balance="label",
        schedule=rules.Constant(n=60),
        chunk_size=100,
        evaluation_samples=300,
    ) == plan_from(tiny_config)


def test_kinds_may_be_texts(tiny_config):
    assert (
        Plan(**{**tiny_config, "learner": f"{TINY}:TinyLearner", "policy": "accumulate"})
        .arms["verified"]
        .policy
        == rules.Accumulate()
    )


@pytest.mark.parametrize("arms", [["verified", "all_real"], ("verified",), {"one": None}])
def test_a_plan_comes_back_from_its_manifest(tiny_config, arms: object):
    plan = Plan(**tiny_config, arms=arms)
    assert Plan.model_validate(plan.config()) == plan
    assert plan_from(plan.config()) == plan
    assert not set(plan.config()) & {"verifier", "schedule", "acceptance"}


def test_an_arm_that_is_an_object_keeps_what_it_was_given(tiny_config):
    arms = {
        "own": Arm(schedule=rules.Constant(n=7)),
        "plain": Arm(schedule=rules.Constant(n=8), verifier=None),
        "bound": Arm(train_on="real"),
    }
    plan = Plan(**tiny_config, arms=arms)
    assert plan.arms["own"].schedule == rules.Constant(n=7)
    assert plan.arms["own"].verifier == TinyVerifier()
    assert plan.arms["own"].acceptance == rules.TopFraction(fraction=0.1)
    assert plan.arms["plain"].verifier is None
    assert plan.arms["plain"].acceptance == rules.AcceptAll()
    assert plan.arms["bound"] == Arm(train_on="real")


def test_without_settings_of_all_arms_an_object_stays_as_it_is():
    arm = Arm(schedule=rules.Constant(n=7))
    plan = Plan(dataset=TinyData(), learner=TinyLearner(), arms={"own": arm})
    assert plan.arms == {"own": arm}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rouns": 3}, "rouns: unknown key"),
        ({"arms": ["verfied"]}, "Did you mean 'verified'?"),
        ({"arms": ["verified", "verified"]}, "arms: duplicate name"),
        ({"arms": 3}, "a list of names, or a mapping from names to settings"),
        ({"arms": {"a": 3}}, "arms.a: got '3', expected a mapping of settings"),
        ({"schedule": None}, "no schedule"),
    ],
)
def test_a_mistake_is_found_in_objects_as_in_a_file(tiny_config, changes: dict[str, object], message: str):
    with pytest.raises(ConfigError) as caught:
        Plan(**{**tiny_config, **changes})
    assert message in str(caught.value)
