"""Figures from the tidy frames of `frames`.

A figure has no title and no legend: a page writes its own, which wrap on a phone.
``figure.update_layout(showlegend=True)`` restores the legend.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from ..advise.forecasting import NextRound
from .palette import STAGES, ArmStyle

# Backgrounds are transparent and lines half-transparent grey, so that a figure suits light and dark pages.
# Dragging is off, because on a phone it would catch a scrolling finger.
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
_GRID = "rgba(128, 128, 128, 0.22)"
_AXIS = {
    "gridcolor": _GRID,
    "linecolor": _GRID,
    "zeroline": False,
    "automargin": True,
    "title": {"font": {"size": 12}},
}
TEMPLATE = go.layout.Template(
    layout=go.Layout(
        font={"family": _FONT, "size": 13},
        paper_bgcolor="rgba(0, 0, 0, 0)",
        plot_bgcolor="rgba(0, 0, 0, 0)",
        margin={"l": 8, "r": 12, "t": 10, "b": 8},
        xaxis=_AXIS
        | {"showgrid": False, "showline": True, "ticks": "outside"}
        | {"spikethickness": 1, "spikedash": "solid", "spikecolor": _GRID},
        yaxis=_AXIS | {"nticks": 6},
        hovermode="x unified",
        hoverlabel={"font": {"family": _FONT}},
        dragmode=False,
        showlegend=False,
    )
)


def metric_figure(
    metrics: pd.DataFrame,
    metric: str,
    *,
    styles: Mapping[str, ArmStyle],
    bounds: Collection[str] = (),
    coming: Mapping[str, Sequence[NextRound]] = MappingProxyType({}),
    starts: Mapping[str, float] = MappingProxyType({}),
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> go.Figure:
    """Plot a quantity for each arm over the rounds, with the bands of `frames.metrics_frame`.

    Future rounds continue as a dotted line with their 95 % interval. If that is much wider than the measured
    range, it is cut off, so that the curves remain readable.

    Args:
        metrics: Frame from `frames.metrics_frame`.
        metric: Name of the quantity.
        styles: Styles of the arms, from `palette.arm_styles`.
        bounds: Arms drawn as a horizontal line at their last value, because they have no rounds.
        coming: Forecast of an arm, see `veriloop.advise.forecast`.
        starts: Value from which an arm's forecast continues; the last measured one if missing. The forecast
            may have used another split than the curve shows.
        limits: Bounds of the quantity.
    """
    rows = metrics[metrics["metric"] == metric]
    span = (int(rows["round"].min()), int(rows["round"].max())) if len(rows) else (0, 1)
    span = span[0], max(span[1], *(k.round for rounds in coming.values() for k in rounds), 0)
    figure = go.Figure(layout={"template": TEMPLATE})
    chains = {arm: rows[rows["arm"] == arm].sort_values("round") for arm in styles}
    for arm, chain in chains.items():
        known = chain[chain["value"].notna() & chain["se"].notna()]
        if len(known) and arm not in bounds:
            figure.add_trace(_band(known, arm, styles[arm]))
    for arm, rounds in coming.items():
        last = chains[arm][chains[arm]["round"] == rounds[0].round - 1].iloc[0]
        start = starts.get(arm, float(last["value"]))
        figure.add_traces(_forecast(int(last["round"]), start, rounds, arm, styles[arm]))
    if coming:
        every = [k for rounds in coming.values() for k in rounds]
        figure.update_yaxes(range=_around(rows, every, limits))
    for arm, chain in chains.items():
        if len(chain) and arm in bounds:
            figure.add_trace(_level(chain, arm, styles[arm], span))
        elif len(chain):
            figure.add_trace(_curve(chain, arm, styles[arm]))
    return figure.update_xaxes(title="round", **whole_ticks(span))


def acceptance_figure(counts: pd.DataFrame, *, styles: Mapping[str, ArmStyle]) -> go.Figure:
    """Plot the accepted share of all candidates, for each arm over the rounds.

    Args:
        counts: Frame from `frames.counts_frame`, with the arms to draw.
        styles: Styles of the arms.
    """
    rows = counts[counts["acceptance_rate"].notna()]
    span = (int(rows["round"].min()), int(rows["round"].max())) if len(rows) else (1, 1)
    figure = go.Figure(layout={"template": TEMPLATE})
    for arm, style in styles.items():
        chain = rows[rows["arm"] == arm].sort_values("round")
        if len(chain):
            figure.add_trace(
                go.Scatter(
                    x=chain["round"].tolist(),
                    y=chain["acceptance_rate"].tolist(),
                    customdata=chain[["accepted", "generated"]].to_numpy().tolist(),
                    hovertemplate="%{y:.2%} (%{customdata[0]:,} of %{customdata[1]:,})",
                    **_look(arm, style),
                )
            )
    figure.update_yaxes(tickformat="~%", rangemode="tozero")
    return figure.update_xaxes(title="round", **whole_ticks(span))


def seconds_figure(seconds: pd.DataFrame) -> go.Figure:
    """Plot the seconds by stage, summed over the rounds of each arm.

    Args:
        seconds: Frame from `frames.seconds_frame`.
    """
    arms = list(dict.fromkeys(seconds["arm"]))
    totals = seconds.groupby(["stage", "arm"])["seconds"].sum()
    means = seconds.groupby(["stage", "arm"])["seconds"].mean()
    figure = go.Figure(
        layout={"template": TEMPLATE, "barmode": "stack", "bargap": 0.45, "hovermode": "closest"}
    )
    for stage in dict.fromkeys([*STAGES, *seconds["stage"]]):
        here = [arm for arm in arms if totals.get((stage, arm), 0.0) > 0]
        if here:
            figure.add_trace(
                go.Bar(
                    name=stage,
                    orientation="h",
                    y=here,
                    x=[float(totals[stage, arm]) for arm in here],
                    customdata=[float(means[stage, arm]) for arm in here],
                    hovertemplate=f"{stage}: %{{x:.1f}} s, %{{customdata:.2f}} s per round<extra></extra>",
                    marker={"color": STAGES.get(stage, "#999999"), "line": {"width": 0}},
                )
            )
    figure.update_yaxes(categoryorder="array", categoryarray=arms[::-1], showgrid=False, ticksuffix="  ")
    return figure.update_xaxes(title="seconds", showgrid=True, showline=False, ticks="")


def _curve(chain: pd.DataFrame, arm: str, style: ArmStyle) -> go.Scatter:
    return go.Scatter(
        x=chain["round"].tolist(),
        y=chain["value"].tolist(),
        customdata=chain["se"].fillna(0).tolist(),
        hovertemplate="%{y:.4~g} ± %{customdata:.2~g}",
        **_look(arm, style),
    )


def _level(chain: pd.DataFrame, arm: str, style: ArmStyle, span: tuple[int, int]) -> go.Scatter:
    last = chain.iloc[-1]
    error = 0.0 if pd.isna(last["se"]) else float(last["se"])
    rounds = list(range(span[0], span[1] + 1))
    return go.Scatter(
        x=rounds,
        y=[float(last["value"])] * len(rounds),
        hovertemplate=f"%{{y:.4~g}} ± {error:.2g}",
        mode="lines",
        name=arm,
        line={"color": style.colour, "dash": style.dash, "width": 1.75},
    )


def _band(chain: pd.DataFrame, arm: str, style: ArmStyle) -> go.Scatter:
    rounds, low, high = (chain[name].tolist() for name in ("round", "low", "high"))
    return go.Scatter(
        x=rounds + rounds[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=translucent(style.colour),
        line={"width": 0},
        mode="lines",
        name=f"{arm}, uncertainty of measurement",
        hoverinfo="skip",
    )


def _forecast(
    last: int, start: float, rounds: Sequence[NextRound], arm: str, style: ArmStyle
) -> list[go.Scatter]:
    """Return the interval and the line of future rounds, starting at ``start`` in round ``last``."""
    at = [last, *(k.round for k in rounds)]
    high, low = [start, *(k.high for k in rounds)], [start, *(k.low for k in rounds)]
    band = go.Scatter(
        x=at + at[::-1],
        y=high + low[::-1],
        fill="toself",
        fillcolor=translucent(style.colour, 0.09),
        line={"width": 0},
        mode="lines",
        name=f"{arm}, 95 % interval of the forecast",
        hoverinfo="skip",
    )
    line = go.Scatter(
        x=at[1:],
        y=[k.value for k in rounds],
        customdata=[(k.low, k.high) for k in rounds],
        hovertemplate="%{y:.4~g} expected, %{customdata[0]:.3~g} to %{customdata[1]:.3~g}",
        mode="lines+markers",
        name=f"{arm}, forecast",
        line={"color": style.colour, "dash": "dot", "width": 1.5},
        marker={"color": style.colour, "symbol": f"{style.symbol}-open", "size": 6},
    )
    return [band, line]


def _around(
    rows: pd.DataFrame, coming: Sequence[NextRound], limits: tuple[float, float]
) -> tuple[float, float]:
    """Return a range of values that covers everything measured, and a limited part of future intervals."""
    error = 2 * rows["se"].fillna(0)
    expected = [k.value for k in coming]
    low, high = (rows["value"] - error).min(), (rows["value"] + error).max()
    low, high = min(low, *expected), max(high, *expected)
    room = 0.3 * (high - low)
    lowest, highest = min(k.low for k in coming), max(k.high for k in coming)
    low, high = min(low, max(lowest, low - room)), max(high, min(highest, high + room))
    low, high = max(low, limits[0]), min(high, limits[1])
    edge = 0.04 * (high - low)
    return float(low - edge), float(high + edge)


def _look(arm: str, style: ArmStyle) -> dict:
    return {
        "name": arm,
        "mode": "lines+markers",
        "line": {"color": style.colour, "dash": style.dash, "width": 2.25},
        "marker": {"color": style.colour, "symbol": style.symbol, "size": 7},
    }


def translucent(colour: str, opacity: float = 0.16) -> str:
    """Return a colour of `palette` for areas."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def whole_ticks(span: tuple[int, int]) -> dict[str, Any]:
    """Return an axis from the first to the last round with ticks at whole rounds, at most about twelve."""
    first, last = span
    return {
        "tick0": first,
        "dtick": max(1, -(-(last - first) // 12)),
        "range": [first - 0.25, last + 0.25],
        "unifiedhovertitle": {"text": "round %{x}"},
    }
