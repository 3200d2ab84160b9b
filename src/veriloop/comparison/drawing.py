"""Figures of a comparison: each quantity over the rounds, and the paired differences."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..quantity import Quantity
from ..report.notebook import Picture
from ..report.palette import arm_styles
from .chains import Chain
from .differences import Row, Table, contrast
from .figures import DASHES, MARKERS, round_axis

MOST_PANELS = 9
"""Largest number of quantities in figures; others are only in the tables."""

GREY = "#7d828a"
"""Colour of an arm that no variation affects, and of the arms in the legend."""

_DASHES = ("solid", "dash", "dashdot", "longdash", "dot", "longdashdot")
"""Dashes and markers of arms, in order; the colour of a line is that of its variation."""

WIDTH = 11.4
"""Sizes in inches."""

_LETTERS = 160
"""Number of entries per row of a legend."""


class _Style(NamedTuple):
    """Style of a line: dash and marker of its arm (None for a level), and opacity of its band."""

    colour: str
    dash: str
    marker: str | None
    band: float


class _Styles:
    """Styles of lines: colours for variations and dashes for arms, or colours for arms alone.

    Args:
        chains: All chains that may be drawn.
    """

    def __init__(self, chains: Sequence[Chain]) -> None:
        self.variations = list(dict.fromkeys(chain.variation for chain in chains))
        self.arms = list(dict.fromkeys(chain.arm for chain in chains))
        self.bounds = {chain.arm for chain in chains if chain.is_bound}
        shades = colormaps["viridis"](np.linspace(0.05, 0.85, len(self.variations)))
        self._colours = dict(zip(self.variations, map(to_hex, shades), strict=True))
        self._band = 0.13 if len(self.variations) <= 4 else 0.04
        self._of_arms = {arm: style.colour for arm, style in arm_styles(self.arms).items()}

    def of(self, arm: str, variation: str | None) -> _Style:
        """Return the style of an arm of a variation; None for an arm that no variation affects."""
        at = self.arms.index(arm)
        colour = GREY if variation is None else self._colours[variation]
        if len(self.variations) == 1:
            colour = self._of_arms[arm]
        if arm in self.bounds:
            return _Style(colour, "dot", None, self._band)
        return _Style(
            colour, _DASHES[at % len(_DASHES)], list(MARKERS.values())[at % len(MARKERS)], self._band
        )

    def legend(self, figure: Figure, variations: Sequence[str], arms: Sequence[str]) -> None:
        """Add a legend of colours and dashes below the figure."""
        entries = [
            (v, _Style(self._colours[v], "solid", None, 0)) for v in variations if len(self.variations) > 1
        ]
        if len(arms) > 1:
            entries += [(arm, self.of(arm, None)) for arm in arms]
        handles = [
            Line2D(
                [], [], color=s.colour, linestyle=DASHES[s.dash], marker=s.marker, markersize=4, label=label
            )
            for label, s in entries
        ]
        if handles:
            longest = max(len(label) for label, _ in entries)
            columns = max(1, min(4, len(handles), _LETTERS // (8 + longest)))
            # The panels keep their height, however long the legend is.
            figure.set_figheight(figure.get_figheight() + 0.2 * -(-len(handles) // columns))
            place = "outside lower center"
            figure.legend(handles=handles, loc=place, ncols=columns, frameon=False, fontsize=9)


def curves(
    quantities: Mapping[str, Quantity], tables: Mapping[str, Table], chains: Sequence[Chain]
) -> Figure:
    """Draw a panel per quantity: the mean of each variation and arm, with its 95 % interval as a band."""
    names, styles = list(tables)[:MOST_PANELS], _Styles(chains)
    figure, panels = _panels(len(names))
    for panel, name in zip(panels, names, strict=True):
        table = tables[name]
        longest = max((row.round for row in table.rows), default=1)
        for arm in styles.arms:
            lines = {
                v: [row for row in table.rows if (row.variation, row.arm) == (v, arm)]
                for v in styles.variations
            }
            if _are_equal(table, arm):
                # Drawn once, because no variation affects it.
                _line(panel, max(lines.values(), key=len), styles.of(arm, None), longest)
                continue
            for variation, rows in lines.items():
                _line(panel, rows, styles.of(arm, variation), longest)
        panel.set_title(_title(quantities[name], panels), fontsize=10.5)
        panel.set_ylim(*_frame(table.rows))
        round_axis(panel)
    styles.legend(figure, styles.variations, styles.arms)
    return figure


def paired(
    quantities: Mapping[str, Quantity], tables: Mapping[str, Table], chains: Sequence[Chain]
) -> Figure | None:
    """Draw a panel per quantity: each variation minus the first one, paired by seed.

    The bands are 95 % intervals over seeds of each difference alone, not adjusted.

    Returns:
        None if there are no differences: with one variation, or without common seeds.
    """
    names, styles = [name for name in tables if tables[name].differences][:MOST_PANELS], _Styles(chains)
    if not names:
        return None
    first, *others = styles.variations
    figure, panels = _panels(len(names))
    drawn = [
        arm
        for arm in styles.arms
        if arm not in styles.bounds and not all(_are_equal(tables[name], arm) for name in names)
    ]
    for panel, name in zip(panels, names, strict=True):
        for variation in others:
            for arm in drawn:
                _line(panel, _less(name, arm, variation, first, chains), styles.of(arm, variation), 0)
        panel.axhline(0, color=GREY, linewidth=0.9)
        panel.set_title(_title(quantities[name], panels), fontsize=10.5)
        round_axis(panel)
    figure.suptitle("\n".join(textwrap.wrap(f"Difference from {first}, paired by seed", 110)), fontsize=11)
    styles.legend(figure, others, drawn)
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


def _line(panel: Axes, rows: Sequence[Row], style: _Style, longest: int) -> None:
    if not rows:
        return
    at, mean, low, high = (np.array([getattr(r, f) for r in rows]) for f in ("round", "mean", "low", "high"))
    if style.marker is None:
        # A model trained on all real data has no rounds, so it is drawn as a level.
        at, mean, low, high = np.array([0, longest]), *(np.repeat(part[-1], 2) for part in (mean, low, high))
    panel.plot(
        at,
        mean,
        color=style.colour,
        linestyle=DASHES[style.dash],
        marker=style.marker,
        markersize=4,
        linewidth=1.6,
    )
    panel.fill_between(at, low, high, color=style.colour, alpha=style.band, linewidth=0)


def _panels(n: int) -> tuple[Figure, Sequence[Axes]]:
    columns = 2 if n in (2, 4) else min(n, 3)
    rows = -(-n // columns)
    figure = Picture(
        figsize=(WIDTH if columns > 1 else 0.67 * WIDTH, 0.5 + 3.05 * rows), layout="constrained"
    )
    panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for panel in panels[n:]:
        panel.remove()
    return figure, panels[:n]


def _frame(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the range of means, with a margin; intervals over few seeds may be much wider."""
    means = np.array([row.mean for row in rows])
    low, high = float(means.min()), float(means.max())
    margin = 0.15 * (high - low) or 0.05 * abs(high) or 0.01
    return low - margin, high + margin


def _title(quantity: Quantity, panels: Sequence[Axes]) -> str:
    letters = 42 if len(panels) == 3 or len(panels) > 4 else 64
    title = f"{quantity.title} ({quantity.remark})" if quantity.remark else quantity.title
    return "\n".join(textwrap.wrap(title, letters))
