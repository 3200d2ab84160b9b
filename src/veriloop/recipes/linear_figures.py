"""Draw the linear system: theory as lines and areas, simulation as points with two standard errors.

Colours are those of ``report.palette``, close to Okabe and Ito's, which colour-blind people can distinguish.
"""

from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..comparison.figures import DASHES, MARKERS, round_axis
from ..linear import Simulation
from ..report.palette import OTHER_ARMS, USUAL_ARMS, ArmStyle
from ..theory import LinearSystem, Method, OneRoundGrid, Trajectory, one_round_grid
from ..theory.validation import Floats

BIAS_LABEL = r"verifier bias $\Vert\theta^* - \theta_c\Vert$, units of $\sigma$"
RADIUS_LABEL = r"verifier radius $r$, units of $\sigma$"
GAIN_LABEL = r"log gain $\log(\Vert\theta_0 - \theta^*\Vert \,/\, \Vert\theta_1 - \theta^*\Vert)$"
STAR_LABEL = r"$\mathrm{E}\,\Vert\theta_k - \theta^*\Vert^2$, units of $\sigma^2$"
CENTER_LABEL = r"$\mathrm{E}\,\Vert\theta_k - \theta_c\Vert^2$, units of $\sigma^2$"

_GAIN_COLOURS = colormaps["RdBu"].resampled(51)
"""Colours of a diverging map that is safe for the colour-blind. Their number is odd, so that white is around
zero, and small, because noise in 256 colours makes image files large."""


class GainMap(NamedTuple):
    """The log gain over a grid; axes are in units of sigma.

    Attributes:
        biases: Biases, shape ``(I,)``.
        radii: Radii, shape ``(J,)``.
        log_gain: Log gain, shape ``(I, J)``.
    """

    biases: Floats
    radii: Floats
    log_gain: Floats


def draw_gain(axes: Axes, gain: GainMap, limit: float) -> QuadMesh:
    """Draw a heat map of the log gain, from ``-limit`` (harm, red) through 0 (white) to ``limit`` (blue)."""
    mesh = axes.pcolormesh(
        gain.biases,
        gain.radii,
        gain.log_gain.T,
        norm=TwoSlopeNorm(0.0, -limit, limit),
        cmap=_GAIN_COLOURS,
        shading="nearest",
        rasterized=True,
    )
    axes.set(
        xlabel=BIAS_LABEL,
        ylabel=RADIUS_LABEL,
        xlim=(gain.biases[0], gain.biases[-1]),
        ylim=(gain.radii[0], gain.radii[-1]),
    )
    axes.label_outer()
    return mesh


def draw_break_even(axes: Axes, gain: GainMap, label: str, colour: str = "black", style: str = "-") -> None:
    """Draw the contour of zero gain, if there is one; return a line of the same style for the legend."""
    if gain.log_gain.min() < 0 < gain.log_gain.max():
        look: dict[str, Any] = {"colors": colour, "linestyles": style, "linewidths": 1.6}
        axes.contour(gain.biases, gain.radii, gain.log_gain.T, levels=[0.0], **look)
        axes.plot([], [], color=colour, linestyle=style, linewidth=1.6, label=label)
        axes.legend(loc="upper right", fontsize=8.5, framealpha=0.9)


def smoothed(gain: GainMap, width: float = 0.015) -> GainMap:
    """Smooth ``gain`` with a Gaussian of ``width`` times the axes, so that a noisy contour is readable."""
    from scipy.ndimage import gaussian_filter

    sigma = [width * size for size in gain.log_gain.shape]
    return gain._replace(log_gain=gaussian_filter(gain.log_gain, sigma, mode="nearest"))


def draw_theory(axes: Axes, values: Floats, style: ArmStyle, label: str | None = None) -> None:
    """Draw a line over rounds 0, 1, 2, ..."""
    axes.plot(values, color=style.colour, linestyle=DASHES[style.dash], linewidth=1.6, label=label)


def draw_simulated(axes: Axes, mean: Floats, error: Floats, style: ArmStyle, every: int = 1) -> None:
    """Draw points with two standard errors, at round 0 and every ``every``-th round after it."""
    rounds = np.arange(0, len(mean), every)
    axes.errorbar(
        rounds,
        mean[rounds],
        2 * error[rounds],
        fmt=MARKERS[style.symbol],
        color=style.colour,
        markersize=4.5,
        markerfacecolor="white",
        elinewidth=1.2,
        capsize=2.5,
        zorder=3,
    )


def mark_best_round(axes: Axes, rounds: int, error: float) -> None:
    """Draw a star where theory says to stop."""
    axes.plot(
        rounds, error, "*", markersize=15, color="#e0a100", markeredgecolor="black", markeredgewidth=0.7,
        zorder=4, label=f"predicted best round: {rounds}",
    )  # fmt: skip


def finish_rounds(
    axes: Axes, label: str, title: str, scale: Literal["log", "linear"] = "log", **legend: Any
) -> None:
    """Add labels, a light grid and a legend to a panel over rounds; a linear scale of errors starts at 0."""
    axes.set(ylabel=label, yscale=scale)
    axes.set_title(title, fontsize=10.5)
    if scale == "linear":
        axes.set_ylim(bottom=0)
    round_axis(axes)
    # A fixed place: matplotlib's search for the best one is slow, and warns on a slow machine.
    axes.legend(**{"frameon": False, "fontsize": 8.5, "loc": "upper right", **legend})


def phase_figure(grid: OneRoundGrid, sigma: float, title: str) -> Figure:
    """Draw the log gain of one round over bias and radius, by theory only."""
    figure = Figure(figsize=(6.2, 4.6), layout="constrained")
    axes = figure.add_subplot()
    gain = GainMap(grid.biases / sigma, grid.radii / sigma, grid.log_gain)
    mesh = draw_gain(axes, gain, float(np.abs(grid.log_gain).max()))
    draw_break_even(axes, gain, "no gain, no loss")
    axes.set_title(title, fontsize=10)
    figure.colorbar(mesh, ax=axes, label=GAIN_LABEL)
    return figure


def one_round_figure(system: LinearSystem, n: float, method: Method, helpful: Floats) -> Figure:
    """Draw the error after one round over the bias; mark the helpful biases and that of the system."""
    figure = Figure(figsize=(6.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    widest = 1.6 * max(helpful.max(initial=0.0), system.bias, system.radius, 0.1 * system.sigma)
    biases = np.union1d(np.linspace(0, widest, 200), system.bias)
    even = np.ones(system.dimension) if system.bias == 0 else None
    curve = one_round_grid(system, biases, [system.radius], n, method, even).mse[:, 0]
    here = curve[np.searchsorted(biases, system.bias)]
    unit = system.sigma
    verified, bound = USUAL_ARMS["verified"], USUAL_ARMS["all_real"]
    axes.plot(biases / unit, curve / unit**2, color=verified.colour, label="after one verified round")
    axes.axhline(
        system.baseline / unit**2, color=bound.colour, linestyle="--", label="real data alone: no retraining"
    )
    axes.plot(
        system.bias / unit, here / unit**2, "o", color=verified.colour, markeredgecolor="black",
        label=f"this verifier, bias {system.bias / unit:.3g}",
    )  # fmt: skip
    for i, (low, high) in enumerate(helpful / unit):
        axes.axvspan(
            low, high, color=verified.colour, alpha=0.08, label="biases that help" if i == 0 else None
        )
    axes.set(
        xlabel=BIAS_LABEL, ylabel=STAR_LABEL.replace("_k", "_1"), ylim=(0, None), xlim=(0, widest / unit)
    )
    axes.set_title(f"one round, {_verifier(system)}, n = {n:g} per direction", fontsize=10)
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    return figure


def trajectory_figure(system: LinearSystem, course: Trajectory) -> Figure:
    """Draw both errors over rounds by theory, with the best round and the limit."""
    figure = Figure(figsize=(6.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    unit = system.sigma**2
    draw_theory(axes, course.mse_star / unit, USUAL_ARMS["verified"], r"to the truth $\theta^*$")
    draw_theory(axes, course.mse_center / unit, OTHER_ARMS[0], r"to the verifier's center $\theta_c$")
    mark_best_round(axes, course.best_round, course.mse_star[course.best_round] / unit)
    axes.axhline(
        course.floor / unit, color=USUAL_ARMS["all_real"].colour, linestyle=":", label="where it ends (truth)"
    )
    label = r"mean squared distance, units of $\sigma^2$"
    finish_rounds(axes, label, _verifier(system))
    return figure


def simulation_figure(
    system: LinearSystem, run: Simulation, theory: Floats, verified: bool, note: str
) -> Figure:
    """Draw simulated errors with two standard errors, over the line of the theory."""
    figure = Figure(figsize=(6.2, 4.2), layout="constrained")
    axes = figure.add_subplot()
    unit, arm = system.sigma**2, "verified" if verified else "unverified"
    draw_theory(axes, theory / unit, USUAL_ARMS[arm], f"{arm}, {note}")
    errors = np.nan_to_num(run.mse_star_se)
    every = max(1, len(theory) // 30)
    draw_simulated(axes, run.mse_star / unit, errors / unit, USUAL_ARMS[arm], every)
    title = f"{_verifier(system)}; points: {run.replicates:,} chains, ± 2 standard errors"
    finish_rounds(axes, STAR_LABEL, title)
    return figure


def _verifier(system: LinearSystem) -> str:
    unit = system.sigma
    return rf"bias {system.bias / unit:.3g} $\sigma$, radius {system.radius / unit:.3g} $\sigma$"


def zero_crossing(biases: Floats, log_gain: Floats) -> float:
    """Return the bias at which a gain that falls with bias reaches 0, interpolated; NaN if it does not."""
    below: NDArray[np.intp] = np.flatnonzero(log_gain <= 0)
    if below.size == 0 or below[0] == 0:
        return float("nan")
    last, first = below[0] - 1, below[0]
    share = log_gain[last] / (log_gain[last] - log_gain[first])
    return float(biases[last] + share * (biases[first] - biases[last]))
