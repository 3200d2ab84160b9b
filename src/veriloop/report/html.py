"""The report: one HTML file that shows a run to a person, and opens without a network."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from plotly.utils import PlotlyJSONEncoder

from ..store.atomic import write_file
from ..store.folder import RunFolder
from ..store.manifest import Manifest
from .figures import acceptance_figure, metric_figure, seconds_figure
from .frames import counts_frame, metrics_frame, seconds_frame
from .names import duration, headline, metric_name, short, with_error
from .palette import STAGES, ArmStyle, arm_styles
from .pictures import gallery
from .summary import ArmSummary, summarise

REPORT = "report.html"


class Plot(NamedTuple):
    """A figure on the page: its element's id, heading, the remark beside it, and what it shows in words."""

    id: str
    title: str
    hint: str
    meaning: str
    label: str


def write_report(folder: RunFolder) -> Path:
    """Write ``report.html`` into a run folder, of the rounds that have finished so far.

    Returns:
        The path of the file.

    Raises:
        CorruptFileError: Something in the folder cannot be read.
        StorageError: The file could not be written; an older report stays as it was.
    """
    environment = Environment(
        loader=PackageLoader("veriloop.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"short": short, "with_error": with_error, "duration": duration}
    page = environment.get_template("report.html.j2").render(_content(folder))
    path = folder.path / REPORT
    write_file(path, page.encode())
    return path


def _content(folder: RunFolder) -> dict[str, Any]:
    records, manifest, summaries = folder.records(), folder.manifest(), summarise(folder)
    styles = arm_styles(s.arm for s in summaries)
    bounds = {s.arm for s in summaries if s.is_bound}
    metrics, counts, seconds = metrics_frame(records), counts_frame(records), seconds_frame(records)
    curves, costs, figures = {}, {}, {}
    names = list(dict.fromkeys(metrics["metric"]))
    main = headline(names)
    for metric in sorted(names, key=lambda name: name != main):
        plot = _metric_plot(metric, summaries)
        curves[plot.id] = plot
        figures[plot.id] = metric_figure(metrics, metric, styles=styles, bounds=bounds)
    scored = counts[counts["arm"].isin(_verified_arms(manifest))]
    if len(scored) and scored["acceptance_rate"].notna().any():
        costs["acceptance"] = _ACCEPTANCE
        figures["acceptance"] = acceptance_figure(scored, styles=styles)
    if len(seconds):
        costs["seconds"] = _SECONDS
        figures["seconds"] = seconds_figure(seconds)
    return {
        "name": folder.path.resolve().name,
        "manifest": manifest,
        "created": _readable(manifest.created),
        "summaries": summaries,
        "styles": styles,
        "main_metric": main,
        "metrics": {name: metric_name(name) for name in names},
        "curves": list(curves.values()),
        "costs": list(costs.values()),
        "gallery": gallery(folder),
        "counts": _count_rows(counts, seconds, summaries),
        "config": yaml.safe_dump(manifest.config, sort_keys=False, allow_unicode=True),
        "stages": {stage: STAGES[stage] for stage in STAGES if stage in set(seconds["stage"])},
        "dashes": _DASHES,
        "figures": _script_json(figures),
        "plotly": Markup(get_plotlyjs()),
    }


_ACCEPTANCE = Plot(
    "acceptance",
    "Acceptance rate",
    "accepted share of all candidates",
    "A rule that keeps a fixed top fraction holds this constant by design.",
    "Acceptance rate of each verified arm over the rounds.",
)
_SECONDS = Plot(
    "seconds",
    "Time by stage",
    "summed over rounds",
    "Generating and verifying are summed over workers, so they can exceed the time on the clock.",
    "Seconds spent in each stage, by arm.",
)
_DASHES = {"solid": "none", "dash": "6 4", "dashdot": "6 3 2 3", "dot": "2 3", "longdash": "9 4"}
_DASHES["longdashdot"] = "9 3 2 3"
"""Plotly's words for dashes, as SVG dash arrays for the legend."""


def _metric_plot(metric: str, summaries: list[ArmSummary]) -> Plot:
    name = metric_name(metric)
    ends = "; ".join(
        f"{s.arm} from {short(s.changes[metric].first.value)} to {short(s.changes[metric].last.value)}"
        for s in summaries
        if metric in s.changes
    )
    label = f"{name.title} of each arm over the rounds: {ends}."
    return Plot(f"metric-{metric}", name.title, name.hint, name.meaning, label)


def _verified_arms(manifest: Manifest) -> set[str]:
    arms: dict[str, Any] = manifest.config.get("arms", {})
    return {name for name, arm in arms.items() if arm.get("verifier") and arm.get("train_on") != "real"}


class CountRow(NamedTuple):
    """A row of the table of counts."""

    style: ArmStyle
    arm: str
    round: int
    counts: list[int]
    exhausted: bool
    seconds: float


def _count_rows(counts: pd.DataFrame, seconds: pd.DataFrame, summaries: list[ArmSummary]) -> list[CountRow]:
    spent = seconds.groupby(["arm", "round"])["seconds"].sum()
    styles = arm_styles(s.arm for s in summaries)
    shown = ["generated", "accepted", "rejected", "abstained", "kept", "trained_on"]
    return [
        CountRow(
            styles[arm],
            arm,
            int(row["round"]),
            [int(row[name]) for name in shown],
            bool(row["exhausted"]),
            float(spent.get((arm, row["round"]), 0.0)),
        )
        for arm in styles
        for _, row in counts[counts["arm"] == arm].sort_values("round").iterrows()
    ]


def _script_json(figures: dict[str, go.Figure]) -> Markup:
    text = json.dumps(figures, cls=PlotlyJSONEncoder)
    # "<" would let a text end the script element it stands in.
    return Markup(text.replace("<", "\\u003c"))


def _readable(created: str) -> str:
    return datetime.fromisoformat(created).strftime("%-d %B %Y, %H:%M UTC")
