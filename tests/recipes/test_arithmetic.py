"""The recipe of sums: its smallest scale, with a tiny model, and its plans."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from veriloop.config import load_plan
from veriloop.datasets.arithmetic import Arithmetic
from veriloop.learners.causal_lm import CausalLM
from veriloop.recipes.base import Setting
from veriloop.recipes.catalogue import reproduce
from veriloop.recipes.folders import recipe_folders
from veriloop.recipes.study_files import load_studies
from veriloop.testing.language import save_tiny_language

FOLDER = recipe_folders()["arithmetic"]
NAMES = ("pass@1", "pass@8", "solved_both", "solved_only_now", "solved_no_longer", "distinct1", "loss")


@pytest.fixture(scope="module")
def results(smoke: Setting, quick_arithmetic: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the command leaves behind, in JSON."""
    folder = tmp_path_factory.mktemp("arithmetic")
    save_tiny_language(folder / "tiny", [f"{a} + {b} = {a + b}" for a in range(10) for b in range(10)])
    reproduce(str(quick_arithmetic), replace(smoke, model=folder / "tiny"), folder / "out")
    assert (folder / "out" / "arithmetic.png").exists()
    shown = re.findall(
        r"(\d) \+ (\d) =\n\n- \*a person:\* (\d+)", (folder / "out" / "arithmetic-texts.md").read_text()
    )
    assert len(shown) > 1
    assert all(int(a) + int(b) == int(total) for a, b, total in shown)
    return json.loads((folder / "out" / "arithmetic.json").read_text())


def test_both_arms_have_every_number_of_each_round(results: dict) -> None:
    assert results["command"] == "veriloop reproduce arithmetic --model tiny --scale smoke --seed 0 --out DIR"
    assert results["model"] == "tiny"
    rounds = {(r["arm"], r["round"]) for r in results["records"]}
    assert rounds == {(arm, k) for arm in ("verified", "unverified") for k in range(3)}
    for record in results["records"]:
        assert set(NAMES) <= set(record["metrics"])
        assert record["metrics"]["pass@1"]["value"] <= record["metrics"]["pass@8"]["value"]
    assert set(results["claim"]) == {"pass@1", "pass@8"}


def test_what_is_kept_is_right_with_the_verifier_and_as_many_without(results: dict) -> None:
    by_arm = {r["arm"]: r for r in results["records"] if r["round"] == 1}
    verified, unverified = by_arm["verified"], by_arm["unverified"]
    assert 0 < verified["counts"]["kept"] <= verified["counts"]["accepted"] < verified["counts"]["generated"]
    assert verified["prompts"]["solved"] >= verified["counts"]["kept"]
    assert unverified["counts"]["generated"] == unverified["counts"]["kept"] == 4


@pytest.mark.parametrize("scale", ["smoke", "cpu", "paper"])
def test_examples_of_the_prompt_are_no_held_out_problems(scale: str) -> None:
    plan = load_plan(FOLDER / load_studies(FOLDER).scales[scale].plan)  # pyright: ignore[reportArgumentType]
    assert isinstance(plan.dataset, Arithmetic)
    assert isinstance(plan.learner, CausalLM)
    template = plan.learner.prompt.template
    assert template is not None
    *examples, question = template.split("\n")
    assert question == "{question}"
    asked = plan.dataset.load(0)
    held_out = set(asked.test.texts("question"))
    answers = dict(zip(asked.train.texts("question"), asked.train.texts("answer"), strict=True))
    for example in examples:
        problem, _, answer = example.rpartition(" ")
        assert problem not in held_out
        assert eval(problem.removesuffix(" =")) == int(answer)  # a sum that stands in our own file
        assert answers.get(problem, answer) == answer
