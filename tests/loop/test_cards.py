"""The cards of a run: made of its plan, written into its manifest, read back as they were."""

from typing import Any

import numpy as np
import pytest

from veriloop.cards import ArmCard, PromptCard, RunCard
from veriloop.errors import ConfigError
from veriloop.loop import run
from veriloop.loop.cards import run_card
from veriloop.loop.plan import Plan
from veriloop.samples import Samples
from veriloop.schema import Image, Label, Schema
from veriloop.testing.tiny import TinyLearner
from veriloop.verdicts import Verdicts
from veriloop.verifiers.base import Verifier


class Shop(Verifier, frozen=True):
    """Judged by people, or so it says."""

    stores: tuple[str, ...] = ("sqlite:///a.db",)

    def verdict_stores(self) -> tuple[str, ...]:
        return self.stores

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        return Verdicts(np.zeros(len(samples)))


class Both(Verifier, frozen=True):
    """Two verifiers, and one by a name."""

    first: Verifier
    others: dict[str, Verifier]


class Writes(TinyLearner, frozen=True):
    """Has a prompt."""

    def prompt_card(self) -> PromptCard:
        return PromptCard(template="{question}")


def test_a_run_says_what_it_is(tiny_plan: Any, tmp_path: Any) -> None:
    folder = run(tiny_plan(), tmp_path / "run")
    cards = folder.manifest().cards
    kind = "veriloop.testing.tiny:TinyVerifier"
    assert cards.arms == {
        "verified": ArmCard(verified=True, verifier=kind, last_round=3),
        "unverified": ArmCard(last_round=3),
        "all_real": ArmCard(role="bound", last_round=1),
    }
    assert list(cards.quantities) == ["gap"]
    assert cards.headline == "gap"
    assert cards.quantity("gap").better == "lower"
    assert {name: column.role for name, column in cards.columns.items()} == {"x": "vector", "label": "label"}
    assert (cards.rounds, cards.bounds, cards.prompt) == (3, ["all_real"], None)
    assert folder.manifest().format == 2
    assert RunCard.model_validate_json(cards.model_dump_json()) == cards


def test_quantities_are_those_of_the_data(tiny_plan: Any) -> None:
    schema = Schema({"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=2)})
    plan = tiny_plan(metrics=["accuracy", "diversity"])
    cards = run_card(plan, schema)
    assert list(cards.quantities) == ["accuracy", "accuracy_0", "accuracy_1", "diversity"]
    assert cards.data == schema
    names = list(cards.quantities)
    assert cards.wholes(names) == ["accuracy", "diversity"]
    assert cards.parts_of("accuracy", names) == ["accuracy_0", "accuracy_1"]
    assert cards.wholes(["accuracy_0"]) == ["accuracy_0"], "its whole is not among them"


def test_a_rule_on_a_class_that_the_data_do_not_have_is_refused(tiny_plan: Any) -> None:
    schema = Schema({"pixels": Image(height=8, width=8, levels=16), "label": Label(classes=2)})
    plan = tiny_plan(metrics=["accuracy"], stop={"when": "plateau", "quantity": "accuracy_5"})
    with pytest.raises(
        ConfigError, match=r"arms\.verified\.stop\.quantity: got 'accuracy_5', expected one of"
    ):
        run_card(plan, schema)


def test_people_are_found_in_verifiers_made_of_others(tiny_plan: Any) -> None:
    both = Both(first=Shop(), others={"a": Shop(stores=("x", "y")), "b": Both(first=Shop(), others={})})
    plan: Plan = tiny_plan()
    arms = {"verified": plan.arms["verified"].model_copy(update={"verifier": both})}
    cards = run_card(plan.model_copy(update={"arms": arms}), plan.dataset.schema())
    assert cards.verdict_stores == ["sqlite:///a.db", "x", "y"]


def test_a_learner_says_how_its_prompts_are_made(tiny_plan: Any) -> None:
    plan: Plan = tiny_plan(learner=f"{__name__}:Writes")
    assert run_card(plan, plan.dataset.schema()).prompt == PromptCard(template="{question}")


def test_what_is_not_known_has_its_name_for_a_title() -> None:
    unknown = RunCard().quantity("bleu")
    assert (unknown.title, unknown.better, unknown.hint) == ("bleu", None, "")
