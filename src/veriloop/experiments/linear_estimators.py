"""Which estimator is best? Real data alone, filtered real data, or retraining from either, for several n.

Expected: beyond a bias of about 0.3 to 0.45 real data alone are best. Below it retraining wins, from filtered
real data when the bias is under about 0.1. Filtered real data without retraining win only for n = 100 and a
loose verifier. Theory colours the plane, Monte Carlo votes in coarse cells.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ..linear import accepted_means
from ..report.palette import OTHER_ARMS, USUAL_ARMS
from ..rng import Address, Stage
from ..theory import EstimatorErrors, estimators_grid
from ..theory.validation import Floats
from .base import Finding, Scale, Setting, agreement, agreement_words
from .linear_figures import BIAS_LABEL, RADIUS_LABEL
from .linear_system import orthogonal_system, random_direction

P, N0 = 8, 100
SIZES_N = (100, 200, 400, 10_000)
BIASES, RADII = (0.0, 0.7), (0.01, 0.5)

ESTIMATORS = {
    "real": ("real data alone", USUAL_ARMS["all_real"].colour),
    "filtered_real": ("filtered real data", "#e0a100"),
    "filtered_synthetic": ("filtered synthetic data", USUAL_ARMS["verified"].colour),
    "filtered_both": ("both filtered", OTHER_ARMS[0].colour),
}


@dataclass(frozen=True)
class Size:
    """How fine the grids are: theory's cells a side, Monte Carlo's biases and radii, replicates a cell."""

    theory: int
    simulated: tuple[int, int]
    replicates: int


SIZES: dict[Scale, Size] = {
    "smoke": Size(40, (4, 3), 20),
    "cpu": Size(200, (10, 7), 60),
    "paper": Size(300, (14, 10), 100),
}


@dataclass(frozen=True, eq=False)
class Trial:
    """What all cells of the Monte Carlo share; sigma is 1 and directions are the coordinate axes.

    Attributes:
        direction: From the truth to the knowledge center, unit length, shape ``(p,)``.
        sigma_c: The verifier's slack.
        labels: Real labels along each direction.
        replicates: In each cell.
        seed: The run's seed.
    """

    direction: Floats
    sigma_c: float
    labels: int
    replicates: int
    seed: int


def linear_estimators(setting: Setting) -> Finding:
    """The four estimators over bias and radius: a map of the best by theory, and Monte Carlo on top."""
    size, direction = SIZES[setting.scale], random_direction(P, setting.seed)
    system = orthogonal_system(0.0, RADII[1], p=P, n0=N0)
    axes = np.linspace(*BIASES, size.theory), np.linspace(*RADII, size.theory)
    fine = [estimators_grid(system, *axes, n, direction) for n in SIZES_N]
    biases, radii = (np.linspace(low, high, 2 * count + 1)[1::2]
                     for (low, high), count in zip((BIASES, RADII), size.simulated, strict=True))  # fmt: skip
    trial = Trial(direction, system.sigma_c, N0, size.replicates, setting.seed)
    cells = [(i, b, r) for i, (b, r) in enumerate((b, r) for b in biases for r in radii)]
    shape = (*size.simulated, len(SIZES_N), len(ESTIMATORS), 2)
    simulated = np.array(list(setting.executor.map(simulate_cell, cells, shared=trial))).reshape(shape)
    exact = np.stack([_errors(estimators_grid(system, biases, radii, n, direction)) for n in SIZES_N], axis=2)
    mean, error = simulated[..., 0], simulated[..., 1]
    found = agreement(exact, mean, error, size.replicates)
    votes = mean.argmin(axis=-1)
    same = votes == exact.argmin(axis=-1)
    chosen = np.take_along_axis(exact, votes[..., None], axis=-1)[..., 0]
    regret = chosen / exact.min(axis=-1) - 1
    numbers = {
        "setting": {"p": P, "n0": N0, "sigma": 1.0, "biases": BIASES, "radii": RADII},
        "theory_grid": (size.theory, size.theory),
        "monte_carlo_grid": size.simulated,
        "monte_carlo_replicates": size.replicates,
        **found,
        "same_best_estimator": float(same.mean()),
        "largest_regret_where_not": float(regret.max()),
        "share_of_plane_where_best": {str(n): _shares(e) for n, e in zip(SIZES_N, fine, strict=True)},
    }
    words = [
        agreement_words(found, "errors"),
        f"the same best estimator by theory and simulation in {100 * same.mean():.1f} % of {same.size} cells;"
        f" elsewhere the simulated choice has at most {100 * regret.max():.1f} % more error",
    ]
    return Finding(numbers, words, {"linear-estimators": _figure(axes, fine, (biases, radii), votes)})


def simulate_cell(trial: Trial, cell: tuple[int, float, float]) -> Floats:
    """Errors of the four estimators for one verifier, ``cell = (number, bias, radius)``.

    The same real data and the same start serve every n and estimator, as they would in life.

    Returns:
        Mean squared error and its standard error over replicates; shape ``(len(SIZES_N), 4, 2)``.
    """
    number, bias, radius = cell
    offset, b = bias * trial.direction, radius + trial.sigma_c
    shape = (trial.replicates, len(offset))
    labels = (
        Address(trial.seed, "estimators", 0, Stage.DATA, number).rng().standard_normal((*shape, trial.labels))
    )
    accepted = np.abs(labels - offset[:, None]) <= b
    # That a direction loses all of its labels has a probability below 1e-15 anywhere on the grid.
    filtered = np.where(accepted, labels, 0.0).sum(axis=-1) / accepted.sum(axis=-1)
    real = labels.mean(axis=-1)
    result = np.empty((len(SIZES_N), len(ESTIMATORS), 2))
    for k, n in enumerate(SIZES_N):
        rng = Address(trial.seed, "estimators", k + 1, Stage.GENERATE, number).rng()
        estimates = [real, filtered, *(_retrained(start, offset, b, n, rng) for start in (real, filtered))]
        errors = (np.stack(estimates) ** 2).sum(axis=-1)
        result[k, :, 0] = errors.mean(axis=-1)
        result[k, :, 1] = errors.std(axis=-1, ddof=1) / np.sqrt(trial.replicates)
    return result


def _retrained(start: Floats, offset: Floats, b: float, n: int, rng: np.random.Generator) -> Floats:
    """The mean of n accepted labels from models at ``start``, relative to the truth."""
    shift = (start - offset).ravel()
    return start + accepted_means(-b - shift, b - shift, n, rng).reshape(start.shape)


def _errors(found: EstimatorErrors) -> Floats:
    return np.stack([getattr(found, name) for name in ESTIMATORS], axis=-1)


def _shares(found: EstimatorErrors) -> dict[str, Any]:
    return {name: float(np.mean(found.best == name)) for name in ESTIMATORS}


def _figure(
    axes: tuple[Floats, Floats],
    fine: list[EstimatorErrors],
    coarse: tuple[Floats, Floats],
    votes: NDArray[np.intp],
) -> Figure:
    figure = Figure(figsize=(13.2, 4.2), layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(SIZES_N), sharex=True, sharey=True))
    colours = [colour for _, colour in ESTIMATORS.values()]
    grid = np.stack(np.meshgrid(*coarse, indexing="ij"), axis=-1).reshape(-1, 2)
    for k, (panel, n) in enumerate(zip(panels, SIZES_N, strict=True)):
        best = _errors(fine[k]).argmin(axis=-1)
        panel.pcolormesh(
            *axes, best.T, cmap=ListedColormap(colours), vmin=-0.5, vmax=3.5, alpha=0.45, shading="nearest",
            rasterized=True,
        )  # fmt: skip
        vote = votes[:, :, k].ravel()
        panel.scatter(*grid.T, s=16, c=[colours[v] for v in vote], edgecolors="black", linewidths=0.5)
        panel.set_title(f"$n_1$ = {n:,} per direction")
        panel.set_xlabel(BIAS_LABEL, fontsize=9)
        panel.set(xlim=BIASES, ylim=RADII)
    panels[0].set_ylabel(RADIUS_LABEL)
    handles = [
        *(Patch(color=colour, alpha=0.45, label=name) for name, colour in ESTIMATORS.values()),
        Line2D([], [], marker="o", linestyle="", color="white", markeredgecolor="black", markersize=5,
               label="Monte Carlo's best"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure
