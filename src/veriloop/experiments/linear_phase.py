"""When does one round help? The paper's phase diagram: log gain over verifier bias and radius.

Expected: theory and Monte Carlo look alike, blue (gain) left of the contour and red (harm) right of it; at
the paper's scale at least 98.5 % of the Monte Carlo cells lie within 3 standard errors of the exact theory.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from ..linear import GridSimulation, simulate_grid
from ..theory import OneRoundGrid, helpful_biases, one_round_grid
from ..theory.validation import Floats
from .base import Finding, Scale, Setting, agreement, agreement_words
from .linear_figures import GAIN_LABEL, GainMap, draw_break_even, draw_gain, smoothed, zero_crossing
from .linear_system import orthogonal_system, random_direction

P, N0, N = 8, 100, 100
BIASES, RADII = (0.0, 0.7), (0.01, 0.5)


@dataclass(frozen=True)
class Size:
    """How fine the grids are.

    Attributes:
        theory: Biases and radii of the theory's grid.
        simulated: Biases and radii of the Monte Carlo grid.
        replicates: Independent replicates in each of its cells.
    """

    theory: tuple[int, int]
    simulated: tuple[int, int]
    replicates: int


SIZES: dict[Scale, Size] = {
    "smoke": Size((40, 40), (24, 12), 50),
    "cpu": Size((300, 300), (100, 50), 100),
    "paper": Size((300, 300), (300, 150), 100),
}


def linear_phase(setting: Setting) -> Finding:
    """Theory beside Monte Carlo over the paper's grid; the ball may miss the truth, as it does there."""
    size, direction = SIZES[setting.scale], random_direction(P, setting.seed)
    system = orthogonal_system(0.0, RADII[1], p=P, n0=N0)
    began = time.perf_counter()
    fine = one_round_grid(system, *_axes(size.theory), N, direction=direction)
    theory_seconds = time.perf_counter() - began
    axes = _axes(size.simulated)
    began = time.perf_counter()
    run = simulate_grid(system, *axes, N, size.replicates, setting.seed, direction, executor=setting.executor)
    simulation_seconds = time.perf_counter() - began
    exact = one_round_grid(system, *axes, N, direction=direction)
    found = agreement(exact.mse, run.mse, run.mse_se, size.replicates)
    radii = np.linspace(*RADII, 8)
    # At these radii one interval helps, from no bias on.
    ends = [helpful_biases(system, N, radius=radius, direction=direction)[-1, 1] for radius in radii]
    numbers = {
        "setting": {"p": P, "n0": N0, "n": N, "sigma": 1.0, "biases": BIASES, "radii": RADII},
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
        "gain_ends_at_bias": _gain_ends(radii, np.array(ends), smoothed(_map(run))),
    }
    words = [
        agreement_words(found, "cells"),
        f"one round helps in {100 * np.mean(fine.log_gain > 0):.1f} % of the plane",
    ]
    return Finding(numbers, words, {"linear-phase": _figure(fine, exact, run)})


def _axes(shape: tuple[int, int]) -> tuple[Floats, Floats]:
    return np.linspace(*BIASES, shape[0]), np.linspace(*RADII, shape[1])


def _map(grid: OneRoundGrid | GridSimulation) -> GainMap:
    return GainMap(grid.biases, grid.radii, grid.log_gain)


def _gain_ends(radii: Floats, theory: Floats, simulated: GainMap) -> list[dict[str, Any]]:
    """Where the gain ends, for a few radii: by theory, and along the nearest column of the simulated map."""
    columns = np.abs(simulated.radii[:, None] - radii).argmin(axis=0)
    crossings = [zero_crossing(simulated.biases, simulated.log_gain[:, j]) for j in columns]
    return [
        {"radius": radius, "theory": bias, "monte_carlo": crossing}
        for radius, bias, crossing in zip(radii.tolist(), theory.tolist(), crossings, strict=True)
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
    """How far the cells are off, beside how far chance alone would put them."""
    edges = np.linspace(-5, 5, 61)
    axes.hist(np.clip(z, -5, 5), edges.tolist(), density=True, color="#a9bccb", label=f"{z.size:,} cells")
    axes.plot(edges, norm.pdf(edges), color="black", linewidth=1.4, label="standard normal")
    for limit in (-3, 3):
        axes.axvline(limit, color="#d55e00", linestyle=":", linewidth=1.4)
    axes.set(xlabel="(Monte Carlo $-$ theory) / standard error", ylabel="density of cells")
    axes.set(xlim=(-5, 5), ylim=(0, 0.5))
    axes.set_title(f"{100 * np.mean(np.abs(z) <= 3):.2f} % of cells within ±3", fontsize=10.5)
    axes.legend(fontsize=8.5, loc="upper left", framealpha=1, edgecolor="none")
