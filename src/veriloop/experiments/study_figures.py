"""How studies are drawn: a panel for each metric, a line for each arm, bands over seeds."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..comparison.figures import DASHES, MARKERS, round_axis
from ..comparison.runs import Recorded
from ..report.palette import OTHER_ARMS, USUAL_ARMS, ArmStyle
from .studies import Curve, Study, curves

COLUMNS = 3
"""Panels side by side."""


def study_figure(study: Study, runs: Sequence[Recorded], metrics: Sequence[str]) -> Figure:
    """Each of ``metrics`` over the rounds, for each line of ``study``.

    Args:
        study: What is drawn.
        runs: The runs.
        metrics: A panel each.
    """
    rows = -(-len(metrics) // COLUMNS)
    figure = Figure(figsize=(11.4, 0.75 + 3.05 * rows), layout="constrained")
    panels = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    looks = line_styles(study)
    for panel, metric in zip(panels, metrics, strict=False):
        found = curves(study, metric, runs)
        rounds = max((c.values.shape[1] for c in found), default=1)
        for c in found:
            draw_curve(panel, c, looks[c.line.label], rounds, bound=study.is_bound(c.line))
        if found:
            # Student's interval of few seeds may be far wider than what was seen; the frame cuts it off.
            panel.set_ylim(_frame(found))
        quantity = study.quantity(metric)
        panel.set_title(
            f"{quantity.title} ({quantity.remark})" if quantity.remark else quantity.title, fontsize=10.5
        )
        round_axis(panel)
    for panel in panels[len(metrics) :]:
        panel.remove()
    seeds = len(found[0].seeds) if (found := curves(study, metrics[0], runs)) else 1
    figure.suptitle(f"{study.title}; {band_words(seeds)}", fontsize=11)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(6, max(1, len(labels))), frameon=False
    )
    return figure


def _frame(shown: Sequence[Curve]) -> tuple[float, float]:
    """From the lowest to the highest value of any seed, with a margin."""
    low = min(float(np.nanmin(c.values)) for c in shown)
    high = max(float(np.nanmax(c.values)) for c in shown)
    margin = 0.08 * (high - low) or 0.01
    return low - margin, high + margin


def band_words(seeds: int) -> str:
    """What the bands around curves are."""
    if seeds == 1:
        return "one seed, ± 2 standard errors of measurement"
    return f"mean of {seeds} seeds, its 95 % interval, and each seed (thin)"


def line_styles(study: Study) -> dict[str, ArmStyle]:
    """A look for each line by label: by their order in an ordered study, else the house's for arms."""
    if study.ordered:
        shades = colormaps["viridis"](np.linspace(0.05, 0.85, len(study.lines)))
        return {
            line.label: ArmStyle(to_hex(shade), "solid", symbol)
            for line, shade, symbol in zip(study.lines, shades, MARKERS, strict=False)
        }
    looks: dict[str, ArmStyle] = {}
    others = iter(OTHER_ARMS)
    for line in study.lines:
        looks[line.label] = USUAL_ARMS.get(line.arm) or next(others)
    return looks


def draw_curve(axes: Axes, curve: Curve, style: ArmStyle, rounds: int, *, bound: bool) -> None:
    """A curve with its band; a bound, which has no chain of rounds, as a level."""
    mean, low, high = curve.band
    if bound:
        mean, low, high = (np.repeat(part[-1], rounds) for part in (mean, low, high))
    at = np.arange(len(mean))
    axes.plot(
        at,
        mean,
        color=style.colour,
        linestyle=DASHES[style.dash],
        marker=None if bound else MARKERS[style.symbol],
        markersize=4.5,
        linewidth=1.7,
        label=curve.line.label,
    )
    axes.fill_between(at, low, high, color=style.colour, alpha=0.13, linewidth=0)
    if len(curve.seeds) > 1 and not bound:
        axes.plot(
            np.arange(curve.values.shape[1]), curve.values.T, color=style.colour, alpha=0.4, linewidth=0.8
        )
