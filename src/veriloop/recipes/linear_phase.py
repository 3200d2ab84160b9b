"""When does one round help? Log gain over verifier bias and radius, by exact theory and by simulation."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from pydantic import Field

from ..laws import normal_density
from ..linear import GridSimulation, simulate_grid
from ..parts import Checked
from ..theory import OneRoundGrid, helpful_biases, one_round_grid, orthogonal_system
from ..theory.validation import Floats
from .base import Finding, Scale, Setting, agreement, agreement_words
from .folders import checked_recipe
from .linear_figures import GAIN_LABEL, GainMap, draw_break_even, draw_gain, smoothed, zero_crossing
from .linear_setting import Count, Grid, LinearRecipe, Range, random_direction


class Size(Checked, frozen=True):
    """Resolution of the grids.

    Attributes:
        theory: Numbers of biases and radii in the theory's grid.
        simulated: Numbers of biases and radii in the Monte Carlo grid.
        replicates: Number of independent replicates in each of its cells.
    """

    theory: Grid
    simulated: Grid
    replicates: Annotated[int, Field(ge=2)]


class PhaseRecipe(LinearRecipe, frozen=True):
    """Content of the recipe's file.

    Attributes:
        n: Kept samples per direction.
        biases: Smallest and largest bias.
        radii: Smallest and largest radius.
        scales: Resolution at each scale.
    """

    n: Count
    biases: Range
    radii: Range
    scales: Mapping[Scale, Size]

    def axes(self, shape: Grid) -> tuple[Floats, Floats]:
        """Return the biases and radii of a grid."""
        return np.linspace(*self.biases, shape[0]), np.linspace(*self.radii, shape[1])


def linear_phase(folder: Path, setting: Setting) -> Finding:
    """Compare theory with simulation over the recipe's grid; the ball may miss the truth.

    Raises:
        ConfigError: The recipe is wrong.
    """
    recipe = checked_recipe(folder, PhaseRecipe)
    size, direction = recipe.scales[setting.scale], random_direction(recipe.p, setting.seed)
    n, largest = recipe.n, recipe.radii[1]
    system = orthogonal_system(0.0, largest, p=recipe.p, n0=recipe.n0)
    began = time.perf_counter()
    fine = one_round_grid(system, *recipe.axes(size.theory), n, direction=direction)
    theory_seconds = time.perf_counter() - began
    axes = recipe.axes(size.simulated)
    began = time.perf_counter()
    run = simulate_grid(system, *axes, n, size.replicates, setting.seed, direction, executor=setting.executor)
    simulation_seconds = time.perf_counter() - began
    exact = one_round_grid(system, *axes, n, direction=direction)
    found = agreement(exact.mse, run.mse, run.mse_se, size.replicates)
    radii = np.linspace(*recipe.radii, 8)
    helpful = [helpful_biases(system, n, radius=radius, direction=direction) for radius in radii]
    numbers = {
        "setting": {
            "p": recipe.p,
            "n0": recipe.n0,
            "n": n,
            "sigma": 1.0,
            "biases": recipe.biases,
            "radii": recipe.radii,
        },
        "theory_grid": size.theory,
        "theory_seconds": theory_seconds,
        "monte_carlo_grid": size.simulated,
        "monte_carlo_replicates": size.replicates,
        "monte_carlo_seconds": simulation_seconds,
        **found,
        "share_of_cells_with_gain": {
            "theory": np.mean(exact.log_gain > 0),
            "monte_carlo": np.mean(run.log_gain > 0),
        },
        "gain_ends_at_bias": _gain_ends(radii, helpful, smoothed(_map(run))),
    }
    words = [
        agreement_words(found, "cells"),
        f"one round helps in {100 * np.mean(fine.log_gain > 0):.1f} % of the plane",
    ]
    return Finding(numbers, words, {folder.name: _figure(fine, exact, run)})


def _map(grid: OneRoundGrid | GridSimulation) -> GainMap:
    return GainMap(grid.biases, grid.radii, grid.log_gain)


def _gain_ends(radii: Floats, helpful: Sequence[Floats], simulated: GainMap) -> list[dict[str, Any]]:
    """Return the largest bias that helps at a few radii, by theory and in the simulation's nearest column.

    It is None where no bias helps.
    """
    columns = np.abs(simulated.radii[:, None] - radii).argmin(axis=0)
    crossings = [zero_crossing(simulated.biases, simulated.log_gain[:, j]) for j in columns]
    ends = [float(intervals[-1, 1]) if len(intervals) else None for intervals in helpful]
    return [
        {"radius": radius, "theory": bias, "monte_carlo": crossing}
        for radius, bias, crossing in zip(radii.tolist(), ends, crossings, strict=True)
    ]


def _figure(fine: OneRoundGrid, exact: OneRoundGrid, run: GridSimulation) -> Figure:
    figure = Figure(figsize=(13.2, 4.3), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1, 0.8))
    limit = float(max(np.abs(fine.log_gain).max(), np.abs(run.log_gain).max()))
    theory, simulated = _map(fine), _map(run)
    draw_gain(left, theory, limit)
    draw_break_even(left, theory, "zero gain")
    left.set_title(f"exact theory, {len(fine.biases)} $\\times$ {len(fine.radii)} cells", fontsize=10.5)
    mesh = draw_gain(middle, simulated, limit)
    draw_break_even(middle, smoothed(simulated), "zero gain, smoothed")
    draw_break_even(middle, theory, "zero gain, theory", "#e0a100", "--")
    middle.set_title(f"Monte Carlo, {run.replicates} replicates in each cell", fontsize=10.5)
    middle.set_ylabel("")
    figure.colorbar(mesh, ax=[left, middle], label=GAIN_LABEL, pad=0.02)
    _draw_deviations(right, ((run.mse - exact.mse) / run.mse_se).ravel())
    return figure


def _draw_deviations(axes: Axes, z: Floats) -> None:
    """Draw the deviations of the cells, and those expected from chance alone."""
    edges = np.linspace(-5, 5, 61)
    axes.hist(np.clip(z, -5, 5), edges.tolist(), density=True, color="#a9bccb", label=f"{z.size:,} cells")
    axes.plot(edges, normal_density(edges), color="black", linewidth=1.4, label="standard normal")
    for limit in (-3, 3):
        axes.axvline(limit, color="#d55e00", linestyle=":", linewidth=1.4)
    axes.set(xlabel="(Monte Carlo $-$ theory) / standard error", ylabel="density of cells")
    axes.set(xlim=(-5, 5), ylim=(0, 0.5))
    axes.set_title(f"{100 * np.mean(np.abs(z) <= 3):.2f} % of cells within ±3", fontsize=10.5)
    axes.legend(fontsize=8.5, loc="upper left", framealpha=1, edgecolor="none")
