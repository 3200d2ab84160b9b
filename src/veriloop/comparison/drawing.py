"""The figures of a comparison: each quantity over the rounds, and the paired differences."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ..quantity import Quantity
from .chains import Chain
from .differences import Row, Table, contrast
from .figures import DASHES, MARKERS, round_axis

COLUMNS = 3
"""Panels side by side."""

MOST_PANELS = 9
"""More quantities than this are in the tables only."""

UNTOUCHED = "#7d828a"
"""The colour of an arm that no variation touches."""

_DASHES = ("solid", "dash", "dashdot", "longdash", "dot")
"""Of arms, in their order: a line's colour is its variation's."""


def curves(quantities: Mapping[str, Quantity], tables: Mapping[str, Table]) -> Figure:
    """A panel for each quantity: the mean of each variation and arm, with its 95 % interval as a band."""
    names = list(tables)[:MOST_PANELS]
    figure, panels = _panels(len(names))
    variations = dict.fromkeys(row.variation for name in names for row in tables[name].rows)
    arms = list(dict.fromkeys(row.arm for name in names for row in tables[name].rows))
    colours = dict(zip(variations, _colours(len(variations)), strict=True))
    for panel, name in zip(panels, names, strict=True):
        table = tables[name]
        longest = max((row.round for row in table.rows), default=1)
        for arm in arms:
            lines = {
                v: [row for row in table.rows if (row.variation, row.arm) == (v, arm)] for v in variations
            }
            if len(lines) > 1 and _are_equal(table, arm):
                # Drawn once: no variation touches it.
                _line(panel, next(iter(lines.values())), UNTOUCHED, arms.index(arm), arm, longest)
                continue
            for variation, rows in lines.items():
                label = ", ".join(part for part, n in ((variation, len(lines)), (arm, len(arms))) if n > 1)
                _line(panel, rows, colours[variation], arms.index(arm), label or arm, longest)
        panel.set_title(_title(quantities[name]), fontsize=10.5)
        panel.set_ylim(*_frame(table.rows))
        round_axis(panel)
    _legend(figure, panels[0])
    return figure


def paired(
    quantities: Mapping[str, Quantity], tables: Mapping[str, Table], chains: Sequence[Chain]
) -> Figure | None:
    """A panel for each quantity: each variation less the first one, paired by seed; None with one variation.

    The bands are 95 % intervals over seeds of each difference by itself, not widened.
    """
    variations = list(dict.fromkeys(chain.variation for chain in chains))
    if len(variations) < 2:
        return None
    first, *others = variations
    names = list(tables)[:MOST_PANELS]
    figure, panels = _panels(len(names))
    arms = list(dict.fromkeys(chain.arm for chain in chains if not chain.is_bound))
    for panel, name in zip(panels, names, strict=True):
        for number, variation in enumerate(others):
            for arm in arms:
                if _are_equal(tables[name], arm):
                    continue
                rows = _less(name, arm, variation, first, chains)
                label = f"{variation}, {arm}" if len(arms) > 1 else variation
                _line(panel, rows, _colours(len(variations))[number + 1], arms.index(arm), label, 0)
        panel.axhline(0, color="#7d828a", linewidth=0.9)
        panel.set_title(_title(quantities[name]), fontsize=10.5)
        round_axis(panel)
    figure.suptitle(f"less {first}, on equal seeds", fontsize=11)
    _legend(figure, panels[0])
    return figure


def _are_equal(table: Table, arm: str) -> bool:
    of_arm = [d for d in table.differences if d.arm == arm]
    return bool(of_arm) and all(d.equal for d in of_arm)


def _less(name: str, arm: str, variation: str, first: str, chains: Sequence[Chain]) -> list[Row]:
    ours, theirs = (
        {c.seed: c for c in chains if (c.variation, c.arm) == (which, arm)} for which in (variation, first)
    )
    rows: list[Row] = []
    seeds = sorted(set(ours) & set(theirs))
    for round_ in range(min((c.last for s in seeds for c in (ours[s], theirs[s])), default=-1) + 1):
        pairs = [(ours[s].estimate(name, round_), theirs[s].estimate(name, round_)) for s in seeds]
        found = np.array([a.value - b.value for a, b in pairs if a and b])
        if len(found) > 1:
            mean, low, high, _ = contrast(found)
        elif len(found):
            mean, low, high = float(found[0]), math.nan, math.nan
        else:
            continue
        rows.append(
            Row(variation=variation, arm=arm, round=round_, mean=mean, low=low, high=high, n=len(found))
        )
    return rows


def _line(panel: Axes, rows: Sequence[Row], colour: str, arm: int, label: str, longest: int) -> None:
    if not rows:
        return
    at, mean, low, high = (np.array([getattr(r, f) for r in rows]) for f in ("round", "mean", "low", "high"))
    if len(rows) == 2 and longest > 1:
        # One model of all real data has no chain of rounds: it is drawn as a level.
        at, mean, low, high = np.array([0, longest]), *(np.repeat(part[-1], 2) for part in (mean, low, high))
    dash, marker = _DASHES[arm % len(_DASHES)], list(MARKERS.values())[arm % len(MARKERS)]
    panel.plot(
        at,
        mean,
        color=colour,
        linestyle=DASHES[dash],
        marker=marker,
        markersize=4,
        linewidth=1.6,
        label=label,
    )
    panel.fill_between(at, low, high, color=colour, alpha=0.13, linewidth=0)


def _panels(n: int) -> tuple[Figure, Sequence[Axes]]:
    rows = -(-n // COLUMNS)
    figure = Figure(figsize=(11.4, 0.9 + 3.05 * rows), layout="constrained")
    panels: list[Axes] = list(figure.subplots(rows, COLUMNS, squeeze=False).ravel())
    for panel in panels[n:]:
        panel.remove()
    return figure, panels[:n]


def _colours(n: int) -> list[str]:
    return [to_hex(shade) for shade in colormaps["viridis"](np.linspace(0.05, 0.85, n))]


def _frame(rows: Sequence[Row]) -> tuple[float, float]:
    """From the lowest to the highest mean, with a margin: intervals of few seeds may be far wider."""
    means = np.array([row.mean for row in rows])
    low, high = float(means.min()), float(means.max())
    margin = 0.15 * (high - low) or 0.05 * abs(high) or 0.01
    return low - margin, high + margin


def _title(quantity: Quantity) -> str:
    return f"{quantity.title} ({quantity.remark})" if quantity.remark else quantity.title


def _legend(figure: Figure, panel: Axes) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(3, max(1, len(labels))), frameon=False
    )
