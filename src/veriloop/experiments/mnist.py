"""From 500 real digits: retraining on verified samples, on unverified ones, and the paper's ablations."""

from pathlib import Path

from ..comparison.page import Shown
from ..comparison.runs import Recorded
from .base import Finding, Setting
from .comparison import Comparison, compare
from .mnist_grids import grids_figure
from .mnist_settings import RECIPES, mnist_studies

METRICS = ("frechet", "nelbo", "accuracy", "recall", "coverage", "diversity")
"""Quality, then diversity."""


def mnist(setting: Setting, out: Path) -> Finding:
    """Make the runs of the experiment's studies, or of those in ``setting.only``, and compare their arms.

    Raises:
        VeriloopError: No run finished a round.
        MissingExtraError: Torch is not installed.
    """
    recipe = RECIPES[setting.scale]
    comparison = Comparison(
        "mnist", recipe.about, mnist_studies(recipe), METRICS, ("frechet", "nelbo"), _pictures
    )
    return compare(comparison, setting, out)


def _pictures(run: Recorded) -> dict[str, Shown]:
    words = (
        f"What the models draw, seed {run.job.plan.seed}: means for the eye; training and metrics use samples"
    )
    return {"grids": Shown(words, grids_figure(run))}
