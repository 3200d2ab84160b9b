"""Results in a notebook: a figure of each, and a small table with its conclusions.

Pages are HTML without scripts, so that they look the same in every notebook, and wherever one is stored.
Their curves are drawn by Matplotlib. Figures requested by ``plot`` are Plotly's, as in the report.
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from functools import singledispatch
from html import escape

import plotly.graph_objects as go
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..advise.audited import Audit
from ..advise.calibration import Calibration
from ..advise.forecasting import Forecast
from ..cards import RunCard
from ..records import RoundRecord
from .advice_figures import distance_figure, roc_figure
from .answer import Run, answer
from .audits import lines as audit_lines
from .calibrations import rates
from .figures import TEMPLATE, metric_figure, translucent, whole_ticks
from .forecasts import cell, forecasts, possible
from .frames import metrics_frame
from .names import with_error
from .palette import USUAL_ARMS, arm_styles
from .summary import by_arm


@singledispatch
def figure(found: object) -> go.Figure:
    """Return the Plotly figure of an `Audit`, a `Calibration` or a `Forecast`."""
    raise NotImplementedError(f"no figure of {type(found).__name__}")


@singledispatch
def html(found: object) -> str:
    """Return the HTML of an `Audit`, a `Calibration` or a `Forecast`."""
    raise NotImplementedError(f"no page of {type(found).__name__}")


@figure.register
def _(found: Audit) -> go.Figure:
    return distance_figure(found)


@html.register
def _(found: Audit) -> str:
    rows = [(line.name, line.value, line.interval) for line in audit_lines(found)]
    return page("Audit", [found.verdict, *found.warnings], table(("", "value", "95 % interval"), rows))


@figure.register
def _(found: Calibration) -> go.Figure:
    return roc_figure(found)


@html.register
def _(found: Calibration) -> str:
    about = f"{found.good:,} known good samples, {found.bad:,} known bad ones."
    return page("Calibration", [about], table(("", "value", "95 % interval", "samples"), rates(found)))


@figure.register
def _(found: Forecast) -> go.Figure:
    drawn = go.Figure(layout={"template": TEMPLATE})
    colour, rounds = USUAL_ARMS["verified"].colour, [k.round for k in found.next]
    drawn.add_trace(
        go.Scatter(
            x=rounds + rounds[::-1],
            y=[k.high for k in found.next] + [k.low for k in found.next[::-1]],
            fill="toself",
            fillcolor=translucent(colour, 0.14),
            line={"width": 0},
            hoverinfo="skip",
        )
    )
    drawn.add_trace(
        go.Scatter(
            x=rounds,
            y=[k.value for k in found.next],
            mode="lines+markers",
            line={"color": colour, "dash": "dot", "width": 2.25},
            hovertemplate="%{y:.4~g}<extra></extra>",
        )
    )
    return drawn.update_xaxes(title="round", **whole_ticks((min(rounds, default=0), max(rounds, default=1))))


@html.register
def _(found: Forecast) -> str:
    rows = [(f"round {k.round}", *cell(k)) for k in found.next]
    if found.plateau:
        rows.append(("plateau", *cell(found.plateau)))
    said = [found.verdict, *([f"Possible curves: {possible(found)}."] if found.families else [])]
    return page("Forecast", said, table(("", "expected", "95 % interval"), rows) if rows else "")


def run_figure(run: Run, name: str) -> go.Figure:
    """Plot a quantity of each arm over the rounds, with the forecast, as in the report.

    Args:
        run: Run to plot.
        name: Name of a quantity that it measures.
    """
    records, cards = run.records(), run.manifest().cards
    chains, quantity = by_arm(records, cards.arms), cards.quantity(name)
    coming = forecasts(records, cards, [name], run.rows).get(name, {})
    drawn = metric_figure(
        metrics_frame(records),
        name,
        styles=arm_styles(chains),
        bounds=cards.bounds,
        coming={arm: shown.found.next for arm, shown in coming.items()},
        starts={arm: shown.last for arm, shown in coming.items()},
        limits=quantity.bounds,
    )
    for trace in drawn.data:
        # A band has the colour of its line.
        trace.showlegend = trace.name in chains  # pyright: ignore[reportAttributeAccessIssue]
    title = {"text": quantity.title, "font": {"size": 15}}
    return drawn.update_layout(showlegend=True, title=title, margin={"t": 48})


def run_html(run: Run, name: str | None) -> str:
    """Return the result of a run: the answer, its last numbers by arm, and the curve of ``name``."""
    records, cards = run.records(), run.manifest().cards
    chains, found = by_arm(records, cards.arms), answer(run)
    said = [found.line, *([found.ship.verdict] if found.ship else [])]
    if not chains:
        return page("Run", said)
    measured = dict.fromkeys(n for chain in chains.values() for n in chain[-1].metrics)
    names = sorted(cards.wholes(list(measured)), key=lambda other: other != name)[:4]
    rows = [
        (arm, str(chain[-1].round), f"{chain[-1].counts.kept:,}")
        + tuple(with_error(chain[-1].metrics[n]) if n in chain[-1].metrics else "" for n in names)
        for arm, chain in chains.items()
    ]
    heading = ("arm", "round", "kept", *(cards.quantity(n).title for n in names))
    curve = "" if name is None else picture(_curve(chains, cards, name))
    return page("Run", said, table(heading, rows), curve)


def _curve(chains: Mapping[str, Sequence[RoundRecord]], cards: RunCard, name: str) -> Figure:
    drawn = Figure(figsize=(6.2, 2.9), layout="constrained")
    axes, styles = drawn.add_subplot(), arm_styles(chains)
    for arm, chain in chains.items():
        points = [(r.round, r.metrics[name]) for r in chain if name in r.metrics]
        rounds, values = [k for k, _ in points], [estimate.value for _, estimate in points]
        colour = styles[arm].colour
        if arm in cards.bounds and values:
            axes.axhline(values[-1], color=colour, linestyle="--", label=arm)
            continue
        bands = [estimate.band for _, estimate in points]
        axes.fill_between(
            rounds, [b[0] for b in bands], [b[1] for b in bands], color=colour, alpha=0.16, lw=0
        )
        axes.plot(rounds, values, color=colour, marker="o", markersize=4, label=arm)
    axes.set(xlabel="round", ylabel=cards.quantity(name).title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return drawn


def picture(drawn: Figure) -> str:
    """Return a Matplotlib figure as an element with an embedded image."""
    out = io.BytesIO()
    drawn.savefig(out, format="png", dpi=144)
    width = round(drawn.get_figwidth() * 100)
    source = f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"
    return f'<img style="max-width: 100%; background: white" width="{width}" src="{source}">'


class Picture(Figure):
    """A Matplotlib figure that displays itself in a notebook, even if pyplot was never imported."""

    def _repr_html_(self) -> str:
        return picture(self)


def page(heading: str, said: Iterable[str], *elements: str) -> str:
    """Return a heading, sentences, and HTML elements."""
    words = "".join(f"<p>{escape(sentence)}</p>" for sentence in said)
    return f"<div><strong>{escape(heading)}</strong>{words}{''.join(elements)}</div>"


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return rows of text as a table."""
    head = "".join(f"<th>{escape(cell_)}</th>" for cell_ in heading)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell_)}</td>' for cell_ in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
