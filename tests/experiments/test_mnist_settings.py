"""The settings say what they should, and what studies share with the main run is really the same."""

from typing import get_args

import pytest

from veriloop.config import plan_from
from veriloop.experiments.base import Scale
from veriloop.experiments.comparison import MAIN
from veriloop.experiments.mnist_settings import (
    BASE,
    PAPER,
    RECIPES,
    REFERENCE,
    SMOKE,
    STUDIES,
    mnist_studies,
)
from veriloop.learners.cvae import CVAE
from veriloop.loop import run
from veriloop.verifiers.discriminator import Discriminator


@pytest.mark.parametrize("scale", get_args(Scale))
def test_every_line_is_an_arm_of_a_run(scale: Scale) -> None:
    studies = mnist_studies(RECIPES[scale])
    assert tuple(studies) == STUDIES
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
    studies = mnist_studies(RECIPES[scale])
    for name, study in studies.items():
        assert name == MAIN or next(line.arm for line in study.lines if line.setting == setting) == BASE
    plans = {name: plan for study in studies.values() for name, plan in study.plans.items()}
    assert (REFERENCE in plans) == (setting == REFERENCE)
    assert all(plans[setting] == study.plans[setting] for name, study in studies.items() if name != MAIN)


def test_what_a_study_shows_of_main_is_what_it_would_have_computed(tmp_path) -> None:
    """The first round of main's arm, and that of a run that has nothing but this arm and one round."""
    learner = {**SMOKE.base["learner"], "epochs": 1, "min_steps": 10}
    config = {**SMOKE.base, "learner": learner, "metrics": ["frechet"]}
    main = plan_from({**config, "arms": ["verified", "unverified"]})
    alone = plan_from({**config, "rounds": 1, "arms": [BASE]})
    first, second = (
        [r.model_dump(exclude={"seconds"}) for r in run(plan, tmp_path / name).records()]
        for name, plan in (("main", main), ("alone", alone))
    )
    assert [r for r in first if r["arm"] == BASE and r["round"] <= 1] == second


def test_the_paper_scale_is_the_papers() -> None:
    studies = mnist_studies(PAPER)
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
        "30000-to-1000000": [30_000, 36_081, 1_000_000, 1_000_000],
        "verified": [30_000, 60_000, 600_000, 1_200_000],
        "unverified": [30_000, 60_000, 600_000, 1_200_000],
    }
