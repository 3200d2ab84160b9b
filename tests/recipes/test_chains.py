"""Recipes: what stands in the folders is sound, and a group of them is judged, stored, and written up."""

import json
from pathlib import Path

import pytest

from veriloop.errors import ConfigError
from veriloop.executors.serial import Serial
from veriloop.loop.check import checked
from veriloop.recipes.base import Setting
from veriloop.recipes.catalogue import reproduce
from veriloop.recipes.chain_files import load_chains, variants_of
from veriloop.recipes.folders import RECIPE, recipe_folders, recipe_names

ZOO = recipe_folders()["collapse-zoo"]
PLAN = """
rounds: 2
dataset: {kind: mixture, start: 20}
learner: LEARNER
schedule: {kind: constant, n: 20}
metrics: [spread]
arms: {replace: {}}
evaluation_samples: 50
"""
EXPECT = """
title: A test
source: nobody
chains: {smoke: CHAINS}
figure: QUANTITY
expect:
  - {says: the number, arm: replace, round: 2, quantity: QUANTITY, NUMBER, source: derived}
"""


def group(folder: Path, *, quantity="mean_error", number="law: mean_error", learner="gaussian", chains=2000):
    """A group of one recipe."""
    recipe = folder / "recipes" / "mine" / "one"
    recipe.mkdir(parents=True, exist_ok=True)
    (recipe / "plan.yaml").write_text(PLAN.replace("LEARNER", learner))
    text = EXPECT.replace("QUANTITY", quantity).replace("NUMBER", number).replace("CHAINS", str(chains))
    (recipe / RECIPE).write_text(text)


def smoke(**more) -> Setting:
    return Setting("smoke", 0, Serial(), **more)


def carried_out(out: Path, **more) -> dict:
    return json.loads(reproduce("mine", smoke(**more), out).results.read_text())


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", recipe_names(ZOO))
def test_a_recipe_is_whole(name):
    folder = ZOO / name
    assert {path.name for path in folder.iterdir()} == {"README.md", "plan.yaml", RECIPE}
    recipe = load_chains(folder)
    assert set(recipe.chains) == {"smoke", "cpu", "paper"}
    text = (folder / "README.md").read_text()
    assert f"veriloop reproduce collapse-zoo --only {name}" in text
    for variant in variants_of(folder, recipe, seed=0).values():
        checked(variant.plan)


def test_a_number_beside_its_law(here):
    group(here)
    found = carried_out(here / "out")
    (number,) = found["numbers"]
    assert number["expected"] == pytest.approx(3 / 20, rel=1e-6)
    assert abs(number["measured"] - 0.15) < 5 * number["se"]
    assert (number["engine"], number["chains"], found["as_expected"]) == ("chains", 2000, 1)
    assert (here / "out" / "mine.png").stat().st_size > 1000


def test_a_wrong_expectation_is_found_out(here):
    group(here, number="value: 0.3")
    assert carried_out(here / "out")["as_expected"] == 0
    group(here, number="above: 0.3")
    assert carried_out(here / "out")["as_expected"] == 0
    group(here, number="below: 0.3")
    assert carried_out(here / "out")["as_expected"] == 1


def test_other_learners_go_through_the_loop(here):
    group(
        here, learner="{kind: gmm, components: 1}", quantity="covariance_trace", number="above: 0.1", chains=3
    )
    (number,) = carried_out(here / "out")["numbers"]
    assert (number["engine"], number["chains"]) == ("loop", 3)


def test_finished_chains_are_found_again(here, monkeypatch):
    group(here)
    first = carried_out(here / "out")["numbers"]
    (stored,) = (here / "out" / "chains").iterdir()
    before = stored.stat().st_mtime_ns
    monkeypatch.setattr("veriloop.recipes.chains.make_chains", lambda *_: pytest.fail("made again"))
    assert carried_out(here / "out")["numbers"] == first
    assert stored.stat().st_mtime_ns == before


def test_nothing_is_made_to_write_up(here):
    group(here)
    done = reproduce("mine", smoke(write_up=True), here / "out")
    assert done.finding.numbers["numbers"] == []
    assert done.finding.words[-1] == "1 of 1 plans have no chains yet: give the command again"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"number": "law: gravity"}, "gravity"),
        ({"number": "law: deviation, value: 1"}, "one of them"),
        ({"number": "law: share_0"}, "law 'share_0'"),
        ({"quantity": "charm"}, "charm"),
        ({"learner": "gaussien"}, "Did you mean 'gaussian'"),
    ],
)
def test_mistakes_are_one_line(here, change, message):
    group(here, **change)
    with pytest.raises(ConfigError, match=message):
        reproduce("mine", smoke(), here / "out")
    assert not list((here / "out").glob("chains/*"))


def test_several_seeds_are_refused(here):
    group(here)
    with pytest.raises(ConfigError, match="many chains under one seed"):
        reproduce("mine", smoke(seeds=2), here / "out")


def test_one_recipe_of_a_folder_may_be_named_by_its_path(here):
    group(here)
    done = reproduce("recipes/mine/one", smoke(), here / "out")
    assert done.results.name == "one.json"
    assert done.finding.numbers["as_expected"] == 1
