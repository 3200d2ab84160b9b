"""Which estimator is best? Real data alone, filtered real data, or retraining from either, for several n.

Theory colours the plane of bias and radius; dots show the best by simulation in coarse cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray
from pydantic import Field

from ..linear import accepted_means
from ..parts import Checked
from ..report.palette import OTHER_ARMS, USUAL_ARMS
from ..rng import Address, Stage
from ..theory import EstimatorErrors, estimators_grid, orthogonal_system
from ..theory.validation import Floats
from .base import Finding, Scale, Setting, agreement, agreement_words
from .folders import checked_recipe
from .linear_figures import BIAS_LABEL, RADIUS_LABEL
from .linear_setting import Count, LinearRecipe, Range, random_direction

ESTIMATORS = {
    "real": ("real data alone", USUAL_ARMS["all_real"].colour),
    "filtered_real": ("filtered real data", "#e0a100"),
    "filtered_synthetic": ("filtered synthetic data", USUAL_ARMS["verified"].colour),
    "filtered_both": ("both filtered", OTHER_ARMS[0].colour),
}


class Size(Checked, frozen=True):
    """Resolution of the grids.

    Attributes:
        theory: Number of cells on each side of the theory's grid.
        simulated: Numbers of biases and radii in the Monte Carlo grid.
        replicates: Number of independent replicates in each of its cells.
    """

    theory: Annotated[int, Field(ge=2)]
    simulated: tuple[Count, Count]
    replicates: Annotated[int, Field(ge=2)]


class EstimatorsRecipe(LinearRecipe, frozen=True):
    """Content of the recipe's file.

    Attributes:
        sizes: Kept samples per direction, one panel for each.
        biases: Smallest and largest bias.
        radii: Smallest and largest radius.
        scales: Resolution at each scale.
    """

    sizes: Annotated[tuple[Count, ...], Field(min_length=1)]
    biases: Range
    radii: Range
    scales: Mapping[Scale, Size]


@dataclass(frozen=True, eq=False)
class Trial:
    """Settings shared by all cells of the simulation; sigma is 1 and directions are the coordinate axes.

    Attributes:
        direction: Unit vector from the truth to the knowledge center, shape ``(p,)``.
        sigma_c: Slack of the verifier.
        labels: Number of real labels along each direction.
        sizes: Kept samples per direction.
        replicates: Number of replicates in each cell.
        seed: Seed of the run.
    """

    direction: Floats
    sigma_c: float
    labels: int
    sizes: tuple[int, ...]
    replicates: int
    seed: int


def linear_estimators(folder: Path, setting: Setting) -> Finding:
    """Compare four estimators over bias and radius: a map of the best by theory, with simulation on top.

    Raises:
        ConfigError: The recipe is wrong.
    """
    recipe = checked_recipe(folder, EstimatorsRecipe)
    size, direction = recipe.scales[setting.scale], random_direction(recipe.p, setting.seed)
    system = orthogonal_system(0.0, recipe.radii[1], p=recipe.p, n0=recipe.n0)
    axes = np.linspace(*recipe.biases, size.theory), np.linspace(*recipe.radii, size.theory)
    fine = [estimators_grid(system, *axes, n, direction) for n in recipe.sizes]
    biases, radii = (
        np.linspace(low, high, 2 * count + 1)[1::2]
        for (low, high), count in zip((recipe.biases, recipe.radii), size.simulated, strict=True)
    )
    trial = Trial(direction, system.sigma_c, recipe.n0, recipe.sizes, size.replicates, setting.seed)
    cells = [(i, b, r) for i, (b, r) in enumerate((b, r) for b in biases for r in radii)]
    shape = (*size.simulated, len(recipe.sizes), len(ESTIMATORS), 2)
    simulated = np.array(list(setting.executor.map(simulate_cell, cells, shared=trial))).reshape(shape)
    exact = np.stack(
        [_errors(estimators_grid(system, biases, radii, n, direction)) for n in recipe.sizes], axis=2
    )
    mean, error = simulated[..., 0], simulated[..., 1]
    found = agreement(exact, mean, error, size.replicates)
    votes = mean.argmin(axis=-1)
    same = votes == exact.argmin(axis=-1)
    chosen = np.take_along_axis(exact, votes[..., None], axis=-1)[..., 0]
    regret = chosen / exact.min(axis=-1) - 1
    numbers = {
        "setting": {
            "p": recipe.p,
            "n0": recipe.n0,
            "sigma": 1.0,
            "biases": recipe.biases,
            "radii": recipe.radii,
        },
        "theory_grid": (size.theory, size.theory),
        "monte_carlo_grid": size.simulated,
        "monte_carlo_replicates": size.replicates,
        **found,
        "same_best_estimator": float(same.mean()),
        "largest_regret_where_not": float(regret.max()),
        "share_of_plane_where_best": {str(n): _shares(e) for n, e in zip(recipe.sizes, fine, strict=True)},
    }
    words = [
        agreement_words(found, "errors"),
        f"the same best estimator by theory and simulation in {100 * same.mean():.1f} % of {same.size} cells;"
        f" elsewhere the simulated choice has at most {100 * regret.max():.1f} % more error",
    ]
    return Finding(numbers, words, {folder.name: _figure(recipe, axes, fine, (biases, radii), votes)})


def simulate_cell(trial: Trial, cell: tuple[int, float, float]) -> Floats:
    """Simulate the errors of the four estimators for one verifier, ``cell = (number, bias, radius)``.

    All n and estimators use the same real data and the same start, as they would in practice.

    Returns:
        Mean squared error and its standard error over replicates; shape ``(len(trial.sizes), 4, 2)``.
    """
    number, bias, radius = cell
    offset, b = bias * trial.direction, radius + trial.sigma_c
    shape = (trial.replicates, len(offset))
    labels = (
        Address(trial.seed, "estimators", 0, Stage.DATA, number).rng().standard_normal((*shape, trial.labels))
    )
    accepted = np.abs(labels - offset[:, None]) <= b
    # The probability that a direction loses all its labels is below 1e-15 anywhere on the grid.
    filtered = np.where(accepted, labels, 0.0).sum(axis=-1) / accepted.sum(axis=-1)
    real = labels.mean(axis=-1)
    result = np.empty((len(trial.sizes), len(ESTIMATORS), 2))
    for k, n in enumerate(trial.sizes):
        rng = Address(trial.seed, "estimators", k + 1, Stage.GENERATE, number).rng()
        estimates = [real, filtered, *(_retrained(start, offset, b, n, rng) for start in (real, filtered))]
        errors = (np.stack(estimates) ** 2).sum(axis=-1)
        result[k, :, 0] = errors.mean(axis=-1)
        result[k, :, 1] = errors.std(axis=-1, ddof=1) / np.sqrt(trial.replicates)
    return result


def _retrained(start: Floats, offset: Floats, b: float, n: int, rng: np.random.Generator) -> Floats:
    """Return the mean of n accepted labels from models at ``start``, relative to the truth."""
    shift = (start - offset).ravel()
    return start + accepted_means(-b - shift, b - shift, n, rng).reshape(start.shape)


def _errors(found: EstimatorErrors) -> Floats:
    return np.stack([getattr(found, name) for name in ESTIMATORS], axis=-1)


def _shares(found: EstimatorErrors) -> dict[str, Any]:
    return {name: float(np.mean(found.best == name)) for name in ESTIMATORS}


def _figure(
    recipe: EstimatorsRecipe,
    axes: tuple[Floats, Floats],
    fine: list[EstimatorErrors],
    coarse: tuple[Floats, Floats],
    votes: NDArray[np.intp],
) -> Figure:
    figure = Figure(figsize=(13.2, 4.2), layout="constrained")
    panels: list[Axes] = list(
        figure.subplots(1, len(recipe.sizes), sharex=True, sharey=True, squeeze=False).ravel()
    )
    colours = [colour for _, colour in ESTIMATORS.values()]
    grid = np.stack(np.meshgrid(*coarse, indexing="ij"), axis=-1).reshape(-1, 2)
    for k, (panel, n) in enumerate(zip(panels, recipe.sizes, strict=True)):
        best = _errors(fine[k]).argmin(axis=-1)
        panel.pcolormesh(
            *axes, best.T, cmap=ListedColormap(colours), vmin=-0.5, vmax=3.5, alpha=0.45, shading="nearest",
            rasterized=True,
        )  # fmt: skip
        vote = votes[:, :, k].ravel()
        panel.scatter(*grid.T, s=16, c=[colours[v] for v in vote], edgecolors="black", linewidths=0.5)
        panel.set_title(f"$n_1$ = {n:,} per direction")
        panel.set_xlabel(BIAS_LABEL, fontsize=9)
        panel.set(xlim=recipe.biases, ylim=recipe.radii)
    panels[0].set_ylabel(RADIUS_LABEL)
    handles = [
        *(Patch(color=colour, alpha=0.45, label=name) for name, colour in ESTIMATORS.values()),
        Line2D([], [], marker="o", linestyle="", color="white", markeredgecolor="black", markersize=5,
               label="Monte Carlo's best"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure
