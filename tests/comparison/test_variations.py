from collections.abc import Mapping
from typing import Any

import pytest

from veriloop.comparison.variations import AS_GIVEN, read_vary, requested, slug
from veriloop.config import plan_from
from veriloop.errors import ConfigError

TINY = "veriloop.testing.tiny:Tiny"

CONFIG: dict[str, Any] = {
    "seed": 3,
    "rounds": 2,
    "dataset": f"{TINY}Data",
    "learner": f"{TINY}Learner",
    "verifier": f"{TINY}Verifier",
    "acceptance": {"kind": "top_fraction", "fraction": 0.2},
    "schedule": {"kind": "constant", "n": 60},
    "metrics": [f"{TINY}Metric"],
    "arms": ["verified", "unverified"],
}


def test_all_combinations_with_the_last_setting_fastest() -> None:
    asked = requested(CONFIG, vary={"acceptance.fraction": [0.1, 0.5], "policy": ["replace", "accumulate"]})
    assert list(asked.plans) == [
        "acceptance.fraction=0.1, policy=replace",
        "acceptance.fraction=0.1, policy=accumulate",
        "acceptance.fraction=0.5, policy=replace",
        "acceptance.fraction=0.5, policy=accumulate",
    ]
    arm = asked.plans["acceptance.fraction=0.5, policy=accumulate"].arms["verified"]
    assert (arm.acceptance.model_dump()["fraction"], arm.policy.kind) == (0.5, "accumulate")


def test_learners_and_data_sets_vary_too() -> None:
    asked = requested(CONFIG, vary={"dataset": [{"kind": f"{TINY}Data", "start": n} for n in (15, 30)]})
    assert [plan.dataset.model_dump()["start"] for plan in asked.plans.values()] == [15, 30]


def test_a_plan_takes_a_setting_of_its_arms_in_each_of_them() -> None:
    asked = requested(plan_from(CONFIG), vary={"acceptance.fraction": [0.1, 0.5], "policy": ["accumulate"]})
    for fraction, plan in zip((0.1, 0.5), asked.plans.values(), strict=True):
        assert plan.arms["verified"].acceptance.model_dump()["fraction"] == fraction
        assert plan.arms["unverified"].acceptance.kind == "accept_all"
        assert {arm.policy.kind for arm in plan.arms.values()} == {"accumulate"}


def test_seeds_come_from_the_call_or_else_from_the_file() -> None:
    assert requested(CONFIG).seeds == (3,)
    assert requested(CONFIG, seeds=2).seeds == (3, 4)
    assert requested(CONFIG, seeds=[7, 1]).seeds == (7, 1)
    assert requested({**CONFIG, "seeds": 3}).seeds == (3, 4, 5)
    assert requested({**CONFIG, "seeds": 3}, seeds=1).seeds == (3,)
    assert list(requested(CONFIG).plans) == [AS_GIVEN]


def test_a_file_may_say_what_varies() -> None:
    assert list(requested({**CONFIG, "vary": {"rounds": [1, 2]}}).plans) == ["rounds=1", "rounds=2"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a.b=0.03,0.1"], {"a.b": [0.03, 0.1]}),
        (["policy=replace,accumulate", "n=5"], {"policy": ["replace", "accumulate"], "n": [5]}),
        (
            ["dataset={kind: digits, start: 5},{kind: digits}"],
            {"dataset": [{"kind": "digits", "start": 5}, {"kind": "digits"}]},
        ),
        (["verifier=null,discriminator"], {"verifier": [None, "discriminator"]}),
    ],
)
def test_values_are_yaml(texts: list[str], expected: Mapping[str, list[Any]]) -> None:
    assert read_vary(texts) == expected


@pytest.mark.parametrize("text", ["rounds", "=3", "rounds=", "a..b=1", "a=[1"])
def test_what_is_no_variation_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="vary"):
        read_vary([text])


@pytest.mark.parametrize(
    ("more", "match"),
    [
        ({"vary": {"rounds": 3}}, "list of values"),
        ({"vary": {"rounds": []}}, "list of values"),
        ({"vary": {"rounds": [2, 2]}}, "duplicate value"),
        ({"vary": {"seed": [1, 2]}}, "seeds"),
        ({"vary": ["rounds"]}, "mapping"),
        ({"vary": {"rounds": list(range(1, 300))}}, "at most 200"),
        ({"vary": {"round": [1, 2]}}, "round: unknown key"),
        ({"vary": {"acceptance.fraction": [0.1, 2]}}, "fraction"),
        ({"seeds": 0}, "seeds"),
        ({"seeds": True}, "seeds"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": "three"}, "seeds"),
    ],
)
def test_a_wrong_request_is_refused(more: Mapping[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        requested({**CONFIG, **more})


def test_variations_that_change_nothing_are_refused() -> None:
    own = {"verified": {"acceptance": {"kind": "top_fraction", "fraction": 0.2}}}
    with pytest.raises(ConfigError, match=r"the same plan.*vary arms\.NAME"):
        requested({**CONFIG, "arms": own}, vary={"acceptance.fraction": [0.1, 0.5]})


def test_names_of_files() -> None:
    assert slug("a.b=0.1, c=/x/y: z") == "a.b=0.1-c=-x-y-z"
    assert slug("..") == "variation"
    assert len(slug("x" * 1000)) == 120
