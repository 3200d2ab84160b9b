"""The report: one HTML file that shows a run to a person, and opens without a network."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import plotly.graph_objects as go
import yaml
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs
from plotly.utils import PlotlyJSONEncoder

from ..records import RoundRecord
from ..store.atomic import write_file
from ..store.folder import RunFolder
from ..store.manifest import Manifest
from .audits import audits, distance_figure
from .calibrations import calibrations, roc_figure
from .figures import acceptance_figure, metric_figure, seconds_figure
from .forecasts import Shown, forecasts
from .frames import counts_frame, metrics_frame, seconds_frame
from .names import MISSING, duration, headline, metric_name, parts_of, short, whole, why_abstained, with_error
from .palette import STAGES, ArmStyle, arm_styles
from .passages import passages
from .pictures import gallery
from .summary import ArmSummary, by_arm, summarise

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
    page = templates().get_template("report.html.j2").render(content(folder), plotly=Markup(get_plotlyjs()))
    path = folder.path / REPORT
    write_file(path, page.encode())
    return path


def templates(*packages: str) -> Environment:
    """The templates of the report, and of other ``packages`` that show what it shows."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "veriloop.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "short": short,
        "with_error": with_error,
        "duration": duration,
        "why_abstained": why_abstained,
    }
    return environment


def content(folder: RunFolder) -> dict[str, Any]:
    """What the template ``run.html.j2`` shows of a run, of the rounds that have finished so far.

    Raises:
        CorruptFileError: Something in the folder cannot be read.
    """
    records, manifest, summaries = folder.records(), folder.manifest(), summarise(folder)
    styles = arm_styles(s.arm for s in summaries)
    names = list(dict.fromkeys(name for record in records for name in record.metrics))
    shown = whole(names)
    coming = forecasts(records, summaries, shown)
    curves = _metric_figures(records, summaries, shown, styles, coming)
    costs = _cost_figures(records, manifest, styles)
    audited, calibrated = audits(folder), calibrations(folder)
    figures = {plot.id: figure for plot, figure in (curves | costs).items()}
    figures |= {a.id: distance_figure(a.found.audit) for a in audited}
    figures |= {c.id: roc_figure(c.found.calibration) for c in calibrated if c.id and c.found.calibration}
    return {
        "name": folder.name,
        "manifest": manifest,
        "created": when(manifest.created),
        "summaries": summaries,
        "chains": by_arm(records, [s.arm for s in summaries]),
        "styles": styles,
        "metrics": {name: metric_name(name) for name in shown},
        "by_class": {metric_name(name).title: parts for name in shown if (parts := parts_of(name, names))},
        "curves": list(curves),
        "costs": list(costs),
        "gallery": gallery(folder),
        "passages": passages(folder),
        "audits": audited,
        "calibrations": calibrated,
        "forecasts": coming,
        "stages": {stage: STAGES[stage] for stage in STAGES if any(stage in r.seconds for r in records)},
        "config": yaml.safe_dump(manifest.config, sort_keys=False, allow_unicode=True),
        "missing": MISSING,
        "figures": _script_json(figures),
    }


def when(moment: str) -> str:
    """An ISO time as people write it."""
    return datetime.fromisoformat(moment).strftime("%-d %B %Y, %H:%M UTC")


def _metric_figures(
    records: list[RoundRecord],
    summaries: list[ArmSummary],
    metrics: list[str],
    styles: dict[str, ArmStyle],
    coming: dict[str, dict[str, Shown]],
) -> dict[Plot, go.Figure]:
    frame, bounds = metrics_frame(records), {s.arm for s in summaries if s.is_bound}
    first = headline(metrics)
    return {
        _metric_plot(metric, summaries): metric_figure(
            frame,
            metric,
            styles=styles,
            bounds=bounds,
            coming={arm: shown.found.next for arm, shown in coming.get(metric, {}).items()},
        )
        for metric in sorted(metrics, key=lambda name: name != first)
    }


def _cost_figures(
    records: list[RoundRecord], manifest: Manifest, styles: dict[str, ArmStyle]
) -> dict[Plot, go.Figure]:
    arms: dict[str, Any] = manifest.config.get("arms", {})
    verified = [r for r in records if arms.get(r.arm, {}).get("verifier") and r.counts.generated]
    figures: dict[Plot, go.Figure] = {}
    if verified:
        figures[_ACCEPTANCE] = acceptance_figure(counts_frame(verified), styles=styles)
    if any(r.seconds for r in records):
        figures[_SECONDS] = seconds_figure(seconds_frame(records))
    return figures


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


def _metric_plot(metric: str, summaries: list[ArmSummary]) -> Plot:
    name = metric_name(metric)
    ends = "; ".join(
        f"{s.arm} from {short(s.changes[metric].first.value)} to {short(s.changes[metric].last.value)}"
        for s in summaries
        if metric in s.changes
    )
    label = f"{name.title} of each arm over the rounds: {ends}."
    return Plot(f"metric-{metric}", name.title, name.hint, name.meaning, label)


def _script_json(figures: dict[str, go.Figure]) -> Markup:
    text = json.dumps(figures, cls=PlotlyJSONEncoder)
    # "<" would let a text end the script element it stands in.
    return Markup(text.replace("<", "\\u003c"))
