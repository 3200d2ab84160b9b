"""The check of a whole plan: every mistake is found before anything is computed, and says where it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest

from veriloop.config import plan_from
from veriloop.datasets.base import RealData
from veriloop.errors import ConfigError, ContractError, VeriloopError
from veriloop.loop import checked, preview, run
from veriloop.rules.acceptance import TopFraction
from veriloop.rules.policy import Replace
from veriloop.schema import Role, Schema
from veriloop.testing.tiny import TinyData, TinyLearner, TinyMetric, TinyVerifier
from veriloop.verifiers.base import PLACE

HERE = __name__
CALLS: list[str] = []


class _Noted:
    """Notes what it is asked, and takes its setting from the schema."""

    def suited_to(self, schema: Schema) -> Any:
        CALLS.append(f"{type(self).__name__} suited to {', '.join(schema)}")
        return super().suited_to(schema)  # pyright: ignore[reportAttributeAccessIssue]

    def check_ahead(self, schema: Schema) -> None:
        CALLS.append(f"{type(self).__name__} checked")


class NotedLearner(_Noted, TinyLearner, frozen=True):
    needs: ClassVar[tuple[Role, ...]] = ("vector", "label")


class NotedVerifier(_Noted, TinyVerifier, frozen=True):
    pass


class NotedRule(_Noted, TopFraction, frozen=True):
    pass


class NotedPolicy(_Noted, Replace, frozen=True):
    pass


class NotedMetric(_Noted, TinyMetric, frozen=True):
    pass


class Filling(TinyVerifier, frozen=True):
    classes: int | None = None

    def suited_to(self, schema: Schema) -> Self:
        known = schema[schema.one("label", "filling")].classes
        if self.classes not in (None, known):
            raise ConfigError("classes", got=self.classes, expected=known)
        return super().suited_to(schema).model_copy(update={"classes": known})


class WantsImages(TinyLearner, frozen=True):
    needs: ClassVar[tuple[Role, ...]] = ("image",)


class Odd(TinyData, frozen=True):
    """A data set with mistakes."""

    what: str

    def schema(self) -> Schema:
        given: dict[str, Any] = {
            "error": lambda: {}["x"],
            "no schema": lambda: {"x": 1},
            "unknown role": lambda: Schema({"x": {"role": "picture"}}),
            "nothing made": lambda: Schema({"label": {"role": "label", "classes": 3}}),
        }
        return given[self.what]()


class Broken(TinyVerifier, frozen=True):
    def check_ahead(self, schema: Schema) -> None:
        raise RuntimeError("two\nlines")


class Talking(TinyVerifier, frozen=True):
    """Says something of how it will work, or something that is none."""

    what: Any = ("guessed: small", "guessed: round")

    def check_ahead(self, schema: Schema) -> Any:
        return self.what


class Away(TinyMetric, frozen=True):
    def sources(self) -> Mapping[str, Path]:
        return {"no/such/file": Path("no/such/file")}


def test_all_parts_are_suited_and_checked_once(tiny_plan):
    CALLS.clear()
    plan = tiny_plan(
        learner=f"{HERE}:NotedLearner",
        verifier=f"{HERE}:NotedVerifier",
        acceptance={"kind": f"{HERE}:NotedRule"},
        policy=f"{HERE}:NotedPolicy",
        metrics=[f"{HERE}:NotedMetric"],
        arms={"a": {}, "b": {"warm_start": True}, "c": {"verifier": None}, "all_real": None},
    )
    checked(plan)
    names = ["NotedLearner", "NotedVerifier", "NotedRule", "NotedPolicy", "NotedMetric"]
    assert sorted(call for call in CALLS if call.endswith("checked")) == sorted(f"{n} checked" for n in names)
    seen = {call.split()[0]: call for call in CALLS if "suited" in call}
    assert set(seen) == set(names)
    assert seen["NotedLearner"].endswith("suited to x, label")
    assert all(place in seen["NotedVerifier"] for place in PLACE)


def test_open_settings_are_filled_in_and_the_plan_stays_as_written(tiny_plan):
    plan = tiny_plan(verifier=f"{HERE}:Filling")
    found = checked(plan)
    assert found.plan.arms["verified"].verifier == Filling(classes=3)
    assert plan.arms["verified"].verifier == Filling()
    assert found.schema.dump()["x"] == {"role": "vector", "p": 2, "given": False}


def test_what_a_part_found_out_is_told_by_its_path(tiny_plan):
    lines = ["guessed: small", "guessed: round"]
    found = checked(tiny_plan(verifier=f"{HERE}:Talking"))
    assert found.notes == {"arms.verified.verifier": lines}
    silent = {"kind": f"{HERE}:Talking", "what": None}
    both = {"kind": "weighted", "members": [f"{HERE}:Talking", silent], "weights": [1, 1]}
    assert checked(tiny_plan(verifier=both)).notes == {"arms.verified.verifier": lines}


def test_cards(tiny_plan):
    cards = checked(tiny_plan(rounds=4)).cards
    assert {name: (card.role, card.last_round) for name, card in cards.arms.items()} == {
        "verified": ("chain", 4),
        "unverified": ("chain", 4),
        "all_real": ("bound", 1),
    }
    assert cards.arms["verified"].verifier == "veriloop.testing.tiny:TinyVerifier"
    assert cards.arms["unverified"].verifier is None
    assert cards.data.given == ["label"]


LINEAR = {
    "dataset": {"kind": "linear", "theta_star": [1, 1, 1, 1], "n0": 50},
    "learner": "ols",
    "verifier": {"kind": "knowledge_ball", "center": [1, 1, 1, 1], "radius": 0.3},
    "acceptance": "accept_all",
    "balance": "direction",
    "metrics": [{"kind": "parameter_error", "truth": [1, 1, 1, 1]}],
    "arms": ["verified", "unverified"],
}

WRONG = {
    "role": ({"learner": f"{HERE}:WantsImages"}, "learner: learner", "needs one column of role 'image'"),
    "setting": (
        {"verifier": {"kind": f"{HERE}:Filling", "classes": 4}},
        "arms.verified.verifier: classes: got 4, expected 3",
    ),
    "balance": ({"balance": "x"}, "arms.verified.balance: got 'x'", "(label)"),
    "balance misspelt": ({"balance": "lable"}, "arms.verified.balance", "Did you mean 'label'?"),
    "data set's error": (
        {"dataset": {"kind": f"{HERE}:Odd", "what": "error"}},
        "dataset: Odd.schema raised KeyError",
    ),
    "no schema": ({"dataset": {"kind": f"{HERE}:Odd", "what": "no schema"}}, "dataset: Odd.schema", "dict"),
    "unknown role": ({"dataset": {"kind": f"{HERE}:Odd", "what": "unknown role"}}, "dataset: ", "picture"),
    "nothing made": ({"dataset": {"kind": f"{HERE}:Odd", "what": "nothing made"}}, "no column to generate"),
    "verifier's error": (
        {"verifier": f"{HERE}:Broken"},
        "arms.verified.verifier: Broken.check_ahead raised RuntimeError: two lines",
    ),
    "notes that are no lines": (
        {"verifier": {"kind": f"{HERE}:Talking", "what": "one line"}},
        "arms.verified.verifier: Talking.check_ahead: got 'str', expected a list of lines, or None",
    ),
    "notes that are no text": (
        {"verifier": {"kind": f"{HERE}:Talking", "what": [1]}},
        "arms.verified.verifier: Talking.check_ahead: got 'int', expected str",
    ),
    "reward function": (
        {"verifier": {"kind": "function", "function": "json:dump"}},
        "arms.verified.verifier: the function 'json:dump' cannot be called: got",
    ),
    "no such source": ({"metrics": [f"{HERE}:Away"]}, "no such file or folder: no/such/file"),
    "function verifier": (
        {"verifier": {"kind": "function", "function": "no_such_module:check"}},
        "arms.verified.verifier",
        "cannot import the function 'no_such_module:check'",
    ),
    "function's columns": (
        {"verifier": {"kind": "function", "function": "json:dumps", "columns": ["y"]}},
        "arms.verified.verifier",
        "y",
    ),
    "short center": (
        {**LINEAR, "verifier": {"kind": "knowledge_ball", "center": [1, 1, 1], "radius": 0.3}},
        "arms.verified.verifier: center: got '3 numbers', expected 4, as the data's column 'x' has",
    ),
    "short truth": (
        {**LINEAR, "metrics": [{"kind": "parameter_error", "truth": [1, 1, 1]}]},
        "metrics.parameter_error: truth: got '3 numbers', expected 4, as column 'x' has",
    ),
    "ball in the plane": (
        {"verifier": {"kind": "knowledge_ball", "center": [1, 1, 1], "radius": 0.3}},
        "arms.verified.verifier: verifier 'knowledge_ball'",
        "'y'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("how", ["check", "run", "preview"])
def test_mistakes_are_found_before_anything_is_computed(case, how, tiny_plan, tmp_path, monkeypatch):
    def fit(*_: object) -> None:
        pytest.fail("a model was trained")

    monkeypatch.setattr(TinyLearner, "fit", fit)
    changes, *fragments = WRONG[case]
    plan = tiny_plan(**changes)
    with pytest.raises(VeriloopError) as caught:
        {"check": checked, "run": lambda plan: run(plan, tmp_path / "run"), "preview": preview}[how](plan)
    line = str(caught.value)
    assert "\n" not in line
    for fragment in fragments:
        assert fragment in line, line
    assert list(tmp_path.iterdir()) == []


def test_the_linear_system_of_the_cases_is_valid_when_lengths_agree(tiny_config):
    found = checked(plan_from({**tiny_config, **LINEAR}))
    assert found.schema.named("vector") == ["x"]


def test_an_error_that_is_not_ours_is_the_cause(tiny_plan):
    with pytest.raises(ContractError) as caught:
        checked(tiny_plan(dataset={"kind": f"{HERE}:Odd", "what": "error"}))
    assert isinstance(caught.value.__cause__, KeyError)


def test_nothing_is_loaded_where_the_data_set_knows_its_schema(tiny_plan, monkeypatch):
    def load(self: object, seed: int) -> RealData:
        pytest.fail("data were loaded")

    schema = TinyData().schema()
    monkeypatch.setattr(TinyData, "schema", lambda self: schema)
    monkeypatch.setattr(TinyData, "load", load)
    assert checked(tiny_plan()).schema == schema
