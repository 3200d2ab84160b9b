"""Figures of audits and calibrations. The texts about them stand elsewhere, since they need no Plotly."""

import plotly.graph_objects as go

from ..advise.auditing import Audit
from ..advise.calibration import Calibration
from .figures import TEMPLATE, translucent, whole_ticks
from .palette import USUAL_ARMS


def distance_figure(found: Audit) -> go.Figure:
    """Draw the model's distance from the real mean over future rounds, with a band for all generators."""
    colour, rounds = USUAL_ARMS["verified"].colour, list(range(len(found.distances)))
    figure = go.Figure(layout={"template": TEMPLATE, "showlegend": False})
    figure.add_trace(
        go.Scatter(
            x=rounds + rounds[::-1],
            y=[*found.distances_high.tolist(), *found.distances_low[::-1].tolist()],
            fill="toself",
            fillcolor=translucent(colour, 0.14),
            line={"width": 0},
            hoverinfo="skip",
            name="",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=rounds,
            y=found.distances.tolist(),
            mode="lines+markers",
            name="",
            line={"color": colour, "width": 2.25},
            hovertemplate="%{y:.2f} spreads from the real mean",
        )
    )
    figure.update_yaxes(title="spreads", rangemode="tozero")
    return figure.update_xaxes(title="round", **whole_ticks((0, rounds[-1])))


def roc_figure(calibration: Calibration) -> go.Figure:
    """Draw true accepts over false accepts as the threshold falls, with the diagonal of a coin."""
    style = USUAL_ARMS["verified"]
    # The last tick's label needs room at the right.
    figure = go.Figure(layout={"template": TEMPLATE, "hovermode": "closest", "margin": {"r": 24}})
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            hoverinfo="skip",
            line={"color": USUAL_ARMS["all_real"].colour, "dash": "dot", "width": 1.5},
        )
    )
    points = calibration.curve
    figure.add_trace(
        go.Scatter(
            x=[p.false_accept for p in points],
            y=[p.true_accept for p in points],
            customdata=[p.threshold for p in points],
            mode="lines",
            line={"color": style.colour, "width": 2.25, "shape": "hv"},
            hovertemplate="from %{customdata:.3g} on: %{y:.1%} of good, %{x:.1%} of bad<extra></extra>",
        )
    )
    figure.update_yaxes(title="good ones accepted", tickformat=".0%", range=[0, 1.02])
    return figure.update_xaxes(title="bad ones accepted", tickformat=".0%", range=[-0.02, 1])
