"""The settings of the language-model experiment: a recipe for each scale, and the pretraining it rests on."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import plan_from
from .base import Scale
from .comparison import MAIN
from .studies import Line, Study

ARMS = ("verified", "unverified")
Config = dict[str, Any]


@dataclass(frozen=True)
class Pretraining:
    """How large a small model is, and how long it is trained.

    Attributes:
        vocabulary: Tokens, learned from the articles.
        hidden: Width of the residual stream, a multiple of ``heads``.
        layers: How many.
        heads: Attention heads of each layer.
        intermediate: Width of the gated feed-forward layers.
        row_tokens: Tokens of a training row.
        batch_size: Rows of a step.
        steps: How many, over as many passes through the articles as it takes.
        repeated: In so many first steps a row repeats a text, which teaches to copy.
        learning_rate: AdamW's, at its peak: it rises over 100 steps, or a tenth of all where they are few,
            then falls along half a cosine to zero; so for the repeated texts, and again for the rest.
        copied: Share of the rows whose sentence stays in the text.
        seed: Of all randomness; not the experiment's, whose seeds share one model.
    """

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    row_tokens: int
    batch_size: int
    steps: int
    repeated: int
    learning_rate: float
    copied: float
    seed: int = 0


@dataclass(frozen=True)
class Recipe:
    """What a scale is.

    Attributes:
        about: Its size in one line, for people.
        base: The run's configuration, but for the arms and a model that is made here.
        pretraining: Of that model; None where ``base`` names one.
        articles: It is pretrained on at most so many; None for all training articles.
        fills_cores: Whether one run keeps all cores busy, so that several at once would take memory only.
    """

    about: str
    base: Config
    pretraining: Pretraining | None = None
    articles: int | None = None
    fills_cores: bool = False


TEMPLATE = "Article: {document} Summary:"
"""The paper's prompt."""

METRICS = ["rouge", "text_diversity", "text_form", "loss"]

OURS = "the protocol is the paper's, model and data are smaller, and the pairs are not XSum's official split"

SMOKE = Recipe(
    about=f"A model of two layers for seconds: shows that it works, not the claim; {OURS}",
    base={
        "rounds": 2,
        "dataset": {"kind": "xsum", "start": 0.125, "train": 400, "test": 40},
        "learner": {
            "kind": "causal_lm",
            "prompt": {"template": TEMPLATE, "max_tokens": 64},
            "decoding": {"max_new_tokens": 24},
            "epochs": 2,
            "batch_size": 16,
            "learning_rate": 1e-3,
        },
        "verifier": {"kind": "reference", "measure": "rouge1"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.125},
        "schedule": {"kind": "constant", "n": 16},
        "warm_start": True,
        "metrics": METRICS,
        "evaluation_samples": 40,
        "chunk_size": 64,
    },
    pretraining=Pretraining(
        vocabulary=1024,
        hidden=64,
        layers=2,
        heads=2,
        intermediate=172,
        row_tokens=96,
        batch_size=8,
        steps=120,
        repeated=40,
        learning_rate=3e-3,
        copied=0.4,
    ),
    articles=400,
)

CPU = Recipe(
    about=f"A model of 2.6 million parameters, pretrained here; {OURS}",
    base={
        "rounds": 15,
        "dataset": {"kind": "xsum", "start": 0.125, "test": 300},
        "learner": {
            "kind": "causal_lm",
            # About the first 96 tokens of an article: what a round may cost here.
            "prompt": {"template": TEMPLATE, "max_tokens": 106},
            "decoding": {"max_new_tokens": 48},
            "epochs": 2,
            "batch_size": 16,
            "learning_rate": 5e-4,
        },
        "verifier": {"kind": "reference", "measure": "rouge1"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.125},
        "schedule": {"kind": "constant", "n": 200},
        "warm_start": True,
        "metrics": METRICS,
        "evaluation_samples": 300,
        "chunk_size": 1_600,
    },
    pretraining=Pretraining(
        vocabulary=4096,
        hidden=192,
        layers=4,
        heads=6,
        intermediate=512,
        row_tokens=144,
        batch_size=8,
        steps=8_000,
        repeated=1_500,
        learning_rate=2e-3,
        copied=0.4,
    ),
)

PAPER = Recipe(
    about="As published (arXiv 2510.16657, section 5): SmolLM2-135M-Instruct, all of XSum, 15 rounds",
    base={
        "rounds": 15,
        "dataset": {"kind": "xsum", "start": 0.125},
        "learner": {
            "kind": "causal_lm",
            "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            "prompt": {"template": TEMPLATE},
            "decoding": {"max_new_tokens": 128},
            "epochs": 1,
            "batch_size": 32,
            "learning_rate": 5e-5,
        },
        "verifier": {"kind": "reference", "measure": "rouge1"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.125},
        # An eighth of the 204,045 training pairs, so that each round writes a summary of every article.
        "schedule": {"kind": "constant", "n": 25_505},
        "warm_start": True,
        "metrics": METRICS,
        "evaluation_samples": 11_334,
        "chunk_size": 4_096,
    },
)

GIVEN = Recipe(
    about="The protocol is the paper's with 400 summaries a round; the pairs are not XSum's official split",
    base={
        "rounds": 15,
        # As the paper has it, nothing is decided on held-out pairs: all of them are for the numbers.
        "dataset": {"kind": "xsum", "start": 0.125, "validation": 0, "test": 100},
        "learner": {
            "kind": "causal_lm",
            # About the first 180 tokens of an article: what a round may cost on two cores.
            "prompt": {"template": TEMPLATE, "max_tokens": 192},
            "decoding": {"max_new_tokens": 48},
            "epochs": 1,
            "batch_size": 16,
            "learning_rate": 5e-5,
        },
        "verifier": {"kind": "reference", "measure": "rouge1"},
        "acceptance": {"kind": "top_fraction", "fraction": 0.125},
        "schedule": {"kind": "constant", "n": 50},
        "warm_start": True,
        "metrics": METRICS,
        "evaluation_samples": 100,
        "chunk_size": 100,
        "keep_models": "last",
    },
    fills_cores=True,
)
"""On a laptop, from a model of the size of the paper's: each of its runs fills the cores."""

RECIPES: dict[Scale, Recipe] = {"smoke": SMOKE, "cpu": CPU, "paper": PAPER}


def recipe_of(scale: Scale, model: Path | None) -> Recipe:
    """What is done at ``scale``; with a model that is given, none is made."""
    if model is None:
        return RECIPES[scale]
    recipe = GIVEN if scale == "cpu" else RECIPES[scale]
    return replace(recipe, pretraining=None)


def xsum_study(recipe: Recipe, model: Path | None) -> Study:
    """Both arms in one run, on one start model.

    Args:
        recipe: Of the scale.
        model: The folder of the model to start from; None where the recipe names one.
    """
    own = {"model": str(model)} if model else {}
    config = {**recipe.base, "learner": {**recipe.base["learner"], **own}, "arms": list(ARMS)}
    lines = tuple(Line(arm, MAIN, arm) for arm in ARMS)
    title = "Summaries of held-out articles, with and without a verifier"
    return Study(MAIN, title, {MAIN: plan_from(config)}, lines)
