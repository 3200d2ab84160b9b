"""The settings of the MNIST experiment: a recipe for each scale, and the studies that vary one thing in it.

All studies but the main one vary the arm ``verified`` of one run, the reference: a smaller run of its own, or
the main run where the two differ in the number of rounds at most. An arm that equals it is not computed anew:
the study shows the reference's. That is exact, because runs of one seed with equal data and learner have the
same start model, and a round does not depend on how many come after it.

Numbers are of the test split, half of the published test images; the other half is the validation split.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config import plan_from
from ..loop.plan import Plan
from .base import Scale
from .comparison import MAIN
from .studies import Line, Study

BASE, REFERENCE = "verified", "reference"
Config = dict[str, Any]


@dataclass(frozen=True)
class Recipe:
    """What a scale is.

    Attributes:
        about: Its size in one line, for people.
        base: The configuration of the main run, without its arms.
        reference: What is different in the reference; its rounds are at most as many.
        schedules: By label.
        verifier_sizes: Real images that a weak verifier is trained on; the base has them all.
        keep: Kept fractions.
        start_sizes: Images of the start set.
    """

    about: str
    base: Config
    reference: Config
    schedules: Mapping[str, Config]
    verifier_sizes: tuple[int, ...]
    keep: tuple[float, ...]
    start_sizes: tuple[int, ...]


METRICS = ["frechet", "nelbo", "accuracy", "prdc", "diversity"]

SMOKE = Recipe(
    about="scikit-learn's 8x8 digits, for seconds: shows that it works, not the claim",
    base={
        "rounds": 2,
        "dataset": {"kind": "digits", "start": 50},
        "learner": {
            "kind": "cvae",
            "latent_dim": 3,
            "channels": [8, 16],
            "kernel": 2,
            "epochs": 10,
            "min_steps": 150,
            "batch_size": 32,
            "learning_rate": 1e-2,
            "schedule": "cosine",
            "patience": None,
        },
        "verifier": {"kind": "discriminator", "hidden": [64], "epochs": 2},
        "acceptance": {"kind": "top_fraction", "fraction": 0.1},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 200},
        "warm_start": True,
        "metrics": METRICS,
        "evaluation_samples": 300,
    },
    reference={"rounds": 1},
    schedules={
        "fixed 200": {"kind": "constant", "n": 200},
        "k x 100": {"kind": "linear", "start": 100, "step": 100},
        "100 to 400": {"kind": "geometric", "start": 100, "ratio": 2, "limit": 400},
    },
    verifier_sizes=(20, 100, 400),
    keep=(0.05, 0.1, 0.2, 0.5),
    start_sizes=(20, 50, 200),
)

CPU = Recipe(
    about="MNIST, a laptop's: warm start and strong selection carry the effect at this size",
    base={
        "rounds": 6,
        "dataset": {"kind": "mnist", "start": 500},
        "learner": {
            "kind": "cvae",
            "latent_dim": 16,
            "channels": [16, 32],
            "epochs": 20,
            "min_steps": 600,
            "batch_size": 64,
            "learning_rate": 5e-3,
            "schedule": "cosine",
            "patience": None,
        },
        "verifier": {"kind": "discriminator", "epochs": 2},
        "acceptance": {"kind": "top_fraction", "fraction": 0.03},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 10_000},
        "warm_start": True,
        "metrics": METRICS,
        "evaluation_samples": 5_000,
        "chunk_size": 5_000,
    },
    reference={"rounds": 4, "schedule": {"kind": "constant", "n": 6_000}},
    # All but the second keep 24,000 samples in four rounds.
    schedules={
        "fixed 6,000": {"kind": "constant", "n": 6_000},
        "k x 4,800": {"kind": "linear", "start": 4_800, "step": 4_800},
        "k x 2,400": {"kind": "linear", "start": 2_400, "step": 2_400},
        "1,600 to 12,800": {"kind": "geometric", "start": 1_600, "ratio": 2, "limit": 12_800},
    },
    verifier_sizes=(100, 1_000, 10_000),
    keep=(0.01, 0.03, 0.05, 0.1, 0.2, 0.5),
    start_sizes=(100, 500, 5_000),
)

PAPER = Recipe(
    about="as published (arXiv 2510.16657): fresh models, top 10 % per digit, k x 30,000, 40 rounds",
    base={
        "rounds": 40,
        "dataset": {"kind": "mnist", "start": 500},
        "learner": {
            "kind": "cvae",
            "latent_dim": 20,
            "channels": [32, 64],
            "epochs": 200,
            "batch_size": 128,
            "learning_rate": 1e-3,
            "schedule": "constant",
            "patience": 5,
        },
        "verifier": {"kind": "discriminator"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.1},
        "balance": "label",
        "schedule": {"kind": "linear", "start": 30_000, "step": 30_000},
        "warm_start": False,
        "metrics": METRICS,
        "evaluation_samples": 10_000,
        "chunk_size": 10_000,
    },
    reference={},
    schedules={
        "fixed 20,000": {"kind": "constant", "n": 20_000},
        "k x 5,000": {"kind": "linear", "start": 5_000, "step": 5_000},
        "k x 30,000": {"kind": "linear", "start": 30_000, "step": 30_000},
        "k x 50,000": {"kind": "linear", "start": 50_000, "step": 50_000},
        # 20 rounds from first to last; the paper does not say by which law it grows.
        "30,000 to 1,000,000": {
            "kind": "geometric",
            "start": 30_000,
            "ratio": (1_000_000 / 30_000) ** (1 / 19),
            "limit": 1_000_000,
        },
    },
    verifier_sizes=(100, 1_000, 10_000),
    keep=(0.01, 0.05, 0.1, 0.2, 0.5),
    start_sizes=(100, 500, 5_000),
)

RECIPES: dict[Scale, Recipe] = {"smoke": SMOKE, "cpu": CPU, "paper": PAPER}

STUDIES = (
    MAIN,
    "keep-ratio",
    "schedules",
    "verifier-size",
    "filters",
    "start-set",
    "verifier-update",
    "warm-start",
)
"""Names for ``--only``, the longest runs first."""


def mnist_studies(recipe: Recipe) -> dict[str, Study]:
    """The studies of the experiment, by name."""
    base = recipe.base
    main = plan_from({**base, "arms": ["verified", "unverified", "all_real"]})
    vary = _Vary({**base, **recipe.reference}, main)
    arms = [Line(name.replace("_", " "), MAIN, name) for name in main.arms]
    verifier, share = base["verifier"], base["acceptance"]["fraction"]
    studies = [
        Study(MAIN, "With and without a verifier", {MAIN: main}, tuple(arms)),
        vary.arms(
            "keep-ratio",
            "Share of the candidates that is kept",
            {
                f"{100 * share:g} %": {"acceptance": {"kind": "top_fraction", "fraction": share}}
                for share in recipe.keep
            },
            ordered=True,
        ),
        vary.arms(
            "schedules",
            "How many samples are kept in round k",
            {label: {"schedule": schedule} for label, schedule in recipe.schedules.items()},
        ),
        vary.arms(
            "verifier-size",
            "Real images that the verifier is trained on",
            {
                **{f"{n:,}": {"verifier": {**verifier, "real_images": n}} for n in recipe.verifier_sizes},
                "all": {},
            },
            ordered=True,
        ),
        vary.arms(
            "filters",
            "What is kept of the candidates",
            {
                f"top {100 * share:g} %": {},
                "density ratio": {
                    "verifier": {**verifier, "calibration": 0.1},
                    "acceptance": {"kind": "density_ratio", "fraction": share},
                },
                "top of cells": {"acceptance": {"kind": "top_of_cells", "fraction": share}},
            },
            unfiltered="no filter",
        ),
        vary.start_sets("start-set", "Real images that the start model is trained on", recipe.start_sizes),
        vary.arms(
            "verifier-update",
            "The verifier trained once, or anew each round",
            {"each round": {}, "once": {"verifier": {**verifier, "refit": "once"}}},
        ),
        vary.arms(
            "warm-start",
            "Each round's model fresh, or from the last one",
            {"warm": {"warm_start": True}, "fresh": {"warm_start": False}},
        ),
    ]
    return {study.name: study for study in studies}


class _Vary:
    """Makes studies that vary the reference, a run with the configuration ``config``."""

    def __init__(self, config: Config, main: Plan) -> None:
        self._config = config
        own = plan_from({**config, "arms": [BASE, "unverified"]})
        self._setting, self._plan = REFERENCE, own
        if own.model_copy(update={"rounds": main.rounds, "arms": main.arms}) == main and (
            own.arms[BASE] == main.arms[BASE]
        ):
            self._setting, self._plan = MAIN, main

    def arms(
        self,
        name: str,
        title: str,
        changes: Mapping[str, Config],
        *,
        unfiltered: str | None = None,
        ordered: bool = False,
    ) -> Study:
        """One run with an arm for each of ``changes`` (by label) that is not the reference's own."""
        plan = plan_from({**self._config, "arms": {_slug(label): own for label, own in changes.items()}})
        others = {arm: how for arm, how in plan.arms.items() if how != self._plan.arms[BASE]}
        lines = [
            Line(label, name, arm) if (arm := _slug(label)) in others else Line(label, self._setting, BASE)
            for label in changes
        ]
        if unfiltered:
            lines.append(Line(unfiltered, self._setting, "unverified"))
        plans = {self._setting: self._plan, name: plan.model_copy(update={"arms": others})}
        return Study(name, title, plans, tuple(lines), ordered)

    def start_sets(self, name: str, title: str, sizes: tuple[int, ...]) -> Study:
        """A run for each size of the start set, the reference among them."""
        plans: dict[str, Plan] = {self._setting: self._plan}
        lines: list[Line] = []
        for size in sizes:
            dataset = {**self._config["dataset"], "start": size}
            plan = plan_from({**self._config, "dataset": dataset, "arms": [BASE]})
            setting = self._setting if plan.dataset == self._plan.dataset else f"start-{size}"
            plans.setdefault(setting, plan)
            lines.append(Line(f"{size:,}", setting, BASE))
        return Study(name, title, plans, tuple(lines), ordered=True)


def _slug(label: str) -> str:
    """A label as an arm's name: ``10 %`` is ``10``, ``k x 5,000`` is ``k-x-5000``."""
    words = label.replace(",", "").replace(".", "_").split()
    return "-".join(word for word in words if word.replace("_", "").isalnum())
