"""Recipes of runs say what they should, and what studies share with the main run is really the same."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from veriloop.config import load_plan, plan_from, read_config
from veriloop.errors import ConfigError
from veriloop.learners.cvae import CVAE
from veriloop.loop import run
from veriloop.recipes.base import Scale
from veriloop.recipes.folders import recipe_folders
from veriloop.recipes.studies import Study
from veriloop.recipes.study_files import MAIN, REFERENCE, load_studies, studies_of
from veriloop.verifiers import Against
from veriloop.verifiers.discriminator import Discriminator

BASE = "verified"
MNIST, XSUM = (recipe_folders()[name] for name in ("mnist", "xsum"))


def mnist_studies(scale: Scale) -> dict[str, Study]:
    recipe = load_studies(MNIST)
    return studies_of(MNIST, recipe, scale, recipe.scales[scale].plan)


@pytest.mark.parametrize("scale", get_args(Scale))
def test_every_line_is_an_arm_of_a_run(scale: Scale) -> None:
    studies = mnist_studies(scale)
    main = studies[MAIN].plans[MAIN]
    shown: set[tuple[str, str]] = set()
    for study in studies.values():
        arms = [(line.setting, line.arm) for line in study.lines]
        assert len({*arms}) == len(arms) == len({line.label for line in study.lines})
        assert BASE in {arm for _, arm in arms}, "what is varied stands beside its variations"
        shown |= {*arms}
        for plan in study.plans.values():
            assert plan.rounds <= main.rounds
            assert plan.learner == main.learner
    computed = {
        (setting, arm)
        for study in studies.values()
        for setting, plan in study.plans.items()
        for arm in plan.arms
    }
    assert shown == computed, "nothing is computed for nothing"


@pytest.mark.parametrize(("scale", "setting"), [("smoke", MAIN), ("cpu", REFERENCE), ("paper", MAIN)])
def test_the_reference_is_the_main_run_where_that_will_do(scale: Scale, setting: str) -> None:
    studies = mnist_studies(scale)
    for name, study in studies.items():
        assert name == MAIN or next(line.arm for line in study.lines if line.setting == setting) == BASE
    plans = {name: plan for study in studies.values() for name, plan in study.plans.items()}
    assert (REFERENCE in plans) == (setting == REFERENCE)
    assert all(plans[setting] == study.plans[setting] for name, study in studies.items() if name != MAIN)


def test_what_a_study_shows_of_main_is_what_it_would_have_computed(tmp_path) -> None:
    """The first round of main's arm, and that of a run that has nothing but this arm and one round."""
    smoke = read_config(MNIST / "smoke.yaml")
    config = {**smoke, "learner": {**smoke["learner"], "epochs": 1, "min_steps": 10}, "metrics": ["frechet"]}
    main = plan_from({**config, "arms": ["verified", "unverified"]})
    alone = plan_from({**config, "rounds": 1, "arms": [BASE]})
    first, second = (
        [r.model_dump(exclude={"seconds"}) for r in run(plan, tmp_path / name).records()]
        for name, plan in (("main", main), ("alone", alone))
    )
    assert [r for r in first if r["arm"] == BASE and r["round"] <= 1] == second


def test_the_paper_scale_is_the_papers() -> None:
    studies = mnist_studies("paper")
    main = studies[MAIN].plans[MAIN]
    assert main.learner == CVAE(latent_dim=20, channels=(32, 64), epochs=200, batch_size=128, patience=5)
    assert main.arms["verified"].verifier == Discriminator()
    assert not main.arms["verified"].warm_start
    assert main.rounds == 40
    wanted = {
        arm: [setting.schedule.wanted(k) for k in (1, 2, 20, 40)]
        for arm, setting in {**studies["schedules"].plans["schedules"].arms, **main.arms}.items()
        if setting.schedule
    }
    assert wanted == {
        "fixed-20000": [20_000] * 4,
        "k-x-5000": [5_000, 10_000, 100_000, 200_000],
        "k-x-50000": [50_000, 100_000, 1_000_000, 2_000_000],
        "30000-to-1000000": [30_000, 81_053, 1_000_000, 1_000_000],
        "verified": [30_000, 60_000, 600_000, 1_200_000],
        "unverified": [30_000, 60_000, 600_000, 1_200_000],
    }


def test_the_studies_of_the_paper_scale_are_the_papers() -> None:
    studies = mnist_studies("paper")
    sizes = studies["verifier-size"].plans["verifier-size"].arms.values()
    assert {a.schedule.wanted(k) for a in sizes for k in (1, 40) if a.schedule} == {20_000}
    starts = [(line.label, line.setting, line.arm) for line in studies["start-set"].lines]
    assert starts == [
        ("100", "start-100", BASE),
        ("500", MAIN, BASE),
        ("5,000", "start-5000", BASE),
        ("100 unverified", "start-100-unverified", "unverified"),
        ("500 unverified", MAIN, "unverified"),
        ("5,000 unverified", "start-5000-unverified", "unverified"),
    ]
    main = studies[MAIN].plans[MAIN]
    fixed = studies["verifier-update"].plans["verifier-update"].arms["once-against-all-real"].verifier
    assert fixed == Against(verifier=Discriminator(), learner=main.learner)
    of_means = {name for metric in main.metrics for name in metric.quantities if name.endswith("_of_means")}
    assert {"frechet_of_means", "recall_of_means", "fid_of_means"} <= of_means


def test_forty_rounds_on_two_cores_grow_to_30000() -> None:
    plan = load_plan(MNIST / "forty.yaml")
    assert plan.rounds == 40
    schedules = [arm.schedule for arm in plan.arms.values()]
    assert [[s.wanted(k) for k in (1, 40, 41)] for s in schedules if s] == [[10_000, 30_000, 30_000]] * 2
    assert plan.learner == CVAE(
        latent_dim=20,
        channels=(32, 64),
        prior="per_label",
        temperature=0.85,
        precision="bfloat16",
        epochs=4,
        min_steps=600,
        batch_size=64,
        learning_rate=0.003,
        averaging=0.2,
        patience=None,
    )


@pytest.mark.parametrize("scale", get_args(Scale))
@pytest.mark.parametrize("model", [None, Path("given")])
def test_every_scale_of_xsum_keeps_an_eighth_in_equal_rounds(scale: Scale, model: Path | None) -> None:
    recipe = load_studies(XSUM)
    plan = studies_of(XSUM, recipe, scale, recipe.size(scale, model).plan, model)[MAIN].plans[MAIN]
    verified, unverified = plan.arms["verified"], plan.arms["unverified"]
    assert verified.acceptance.model_dump()["fraction"] == 0.125
    assert unverified.verifier is None
    assert verified.schedule == unverified.schedule
    assert verified.warm_start
    assert model is None or plan.learner.starts_from() == "given"


def test_the_paper_scale_of_xsum_writes_about_nearly_every_article_once() -> None:
    assert 0 <= 204_045 - 8 * read_config(XSUM / "paper.yaml")["schedule"]["n"] < 8


def test_a_given_model_takes_the_place_of_one_that_is_made() -> None:
    recipe = load_studies(XSUM)
    assert recipe.size("cpu", None).pretraining is not None
    given = recipe.size("cpu", Path("given"))
    assert (given.pretraining, given.plan) == (None, "cpu-given.yaml")
    assert recipe.fills_cores("cpu")
    assert recipe.size("smoke", Path("given")).plan == "smoke.yaml"
    with pytest.raises(ConfigError, match="scale smoke takes no model"):
        load_studies(MNIST).size("smoke", Path("given"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"  main:\n": "  whole:\n"}, r"studies: got 'whole, keep-ratio, .*', expected 'main' as the first"),
        ({"  cpu:\n    about": "  small:\n    about"}, r"scales"),
        ({"      cpu: *starting\n": ""}, r"studies\.warm-start\.lines: got 'none of scale cpu'"),
        ({"plan: smoke.yaml": "plan: tiny.yaml"}, r"cannot read configuration .*tiny\.yaml"),
        ({"5 %: {acceptance.fraction: 0.05}": "5 %: {acceptance.n: 0.05}"}, r"studies\.keep-ratio: .*'n'"),
        ({"5 %: {acceptance.fraction: 0.05}": "10 / %: {warm_start: true}"}, r"two labels stand for one"),
        ({"reference: {rounds: 1,": "reference: {round: 1,"}, r"recipe\.yaml: reference: round: unknown key"),
        ({"title: Retraining": "titel: Retraining"}, r"unknown key 'titel'"),
    ],
)  # fmt: skip
def test_a_wrong_recipe_is_one_line(
    changed_mnist: Callable[..., Path], change: dict[str, str], message: str
) -> None:
    folder = changed_mnist(change)
    with pytest.raises(ConfigError, match=message):
        studies_of(folder, recipe := load_studies(folder), "smoke", recipe.scales["smoke"].plan)
