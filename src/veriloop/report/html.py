"""The report: one HTML file about a run that opens without a network."""

import base64
import json
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import plotly.graph_objects as go
import yaml
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.utils import PlotlyJSONEncoder

from ..cards import RunCard
from ..events import in_words
from ..quantity import Quantity
from ..records import RoundRecord
from ..store.atomic import write_file
from ..store.folder import RunFolder
from .advice_figures import distance_figure, roc_figure
from .audits import audits
from .calibrations import calibrations
from .figures import acceptance_figure, metric_figure, seconds_figure
from .forecasts import Shown, forecasts
from .frames import counts_frame, metrics_frame, seconds_frame
from .judged import judged
from .names import MISSING, duration, how_trained, rate, short, tokens_per_second, why_abstained, with_error
from .overview import Overview, overview
from .palette import STAGES, ArmStyle, arm_styles
from .passages import passages
from .pictures import gallery
from .run_rows import Once
from .silences import silences
from .standing import rounds_done
from .summary import ArmSummary, by_arm, summarise

REPORT = "report.html"

ROWS = 80
"""Rows of a table of rounds, beyond which it shows some of the rounds: a browser draws each cell."""


class Plot(NamedTuple):
    """A figure on the page: id, heading, a remark next to it, its meaning and its text alternative."""

    id: str
    title: str
    hint: str
    meaning: str
    label: str


def write_report(folder: RunFolder) -> Path:
    """Write ``report.html`` into a run folder, with the rounds finished so far.

    Returns:
        The path of the file.

    Raises:
        CorruptFileError: Something in the folder cannot be read.
        StorageError: The file could not be written; an older report is unchanged.
    """
    plotly = base64.b64encode(plotly_basic()).decode()
    page = templates().get_template("report.html.j2").render(content(folder), plotly=Markup(plotly))
    path = folder.path / REPORT
    write_file(path, page.encode())
    return path


def plotly_basic() -> bytes:
    """Return the part of plotly.js that draws lines and bars, compressed with gzip: a tenth of the whole."""
    return (files("veriloop.report") / "static" / "plotly-basic.min.js.gz").read_bytes()


def templates(*packages: str) -> Environment:
    """Return the templates of the report, and of other ``packages`` that use them."""
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
        "rate": rate,
        "tokens_per_second": tokens_per_second,
        "in_words": in_words,
        "when": when,
        "age": age,
    }
    return environment


def content(folder: RunFolder, known: Overview | None = None) -> dict[str, Any]:
    """Return the content for the template ``run.html.j2``, from the rounds finished so far.

    Args:
        folder: Run folder.
        known: Overview without forecasts. Then forecasts, which take most of the time of a long run, are left
            out everywhere.

    Raises:
        CorruptFileError: Something in the folder cannot be read.
    """
    folder = Once(folder.path)
    records, manifest, summaries = folder.records(), folder.manifest(), summarise(folder)
    cards = manifest.cards
    styles = arm_styles(s.arm for s in summaries)
    names = list(dict.fromkeys(name for record in records for name in record.metrics))
    shown = cards.wholes(names)
    coming = {} if known else forecasts(records, cards, shown, folder.rows)
    chains = by_arm(records, [s.arm for s in summaries])
    thinned = {arm: _thinned(chain, max(10, ROWS // len(chains))) for arm, chain in chains.items()}
    curves = _quantity_figures(records, summaries, cards, shown, styles, coming)
    costs = _cost_figures(records, cards, styles)
    audited, calibrated = audits(folder), calibrations(folder)
    figures = {plot.id: figure for plot, figure in (curves | costs).items()}
    figures |= {a.id: distance_figure(a.found.audit) for a in audited}
    figures |= {c.id: roc_figure(c.found.calibration) for c in calibrated if c.id and c.found.calibration}
    return {
        "name": folder.name,
        "manifest": manifest,
        "created": when(manifest.created),
        "found": known or overview(folder),
        "done": rounds_done(folder, manifest),
        "summaries": summaries,
        "chains": thinned,
        "thinned": thinned != chains,
        "styles": styles,
        "quantities": {name: cards.quantity(name) for name in shown},
        "parts": {
            cards.quantity(name).title: {part: _part_title(part, name, cards) for part in parts}
            for name in shown
            if (parts := cards.parts_of(name, names))
        },
        "curves": list(curves),
        "costs": list(costs),
        "gallery": gallery(folder),
        "passages": passages(folder),
        "judged": judged(folder),
        "trained": any(how_trained(r) or r.tokens for r in records),
        "audits": audited,
        "calibrations": calibrated,
        "forecasts": coming,
        "forecasting": known is not None,
        "silences": silences(folder),
        "stages": {stage: STAGES[stage] for stage in STAGES if any(stage in r.seconds for r in records)},
        "config": yaml.safe_dump(manifest.config, sort_keys=False, allow_unicode=True),
        "missing": MISSING,
        "figures": _script_json(figures),
    }


def _thinned(chain: list[RoundRecord], most: int) -> list[RoundRecord]:
    """Return at most ``most`` of a chain's rounds: the first, the latest, and some between them.

    Rounds that people should know of, because the verifier was silent or a limit was reached, come first.
    """
    if len(chain) <= most:
        return chain
    remarkable = [i for i, r in enumerate(chain) if r.silent or r.exhausted or r.abstentions][: most // 4]
    latest = range(len(chain) - most // 2, len(chain))
    chosen = {0, *remarkable, *latest}
    others = [i for i in range(len(chain)) if i not in chosen]
    free = most - len(chosen)
    chosen |= {others[i * len(others) // free] for i in range(free)}
    return [chain[i] for i in sorted(chosen)]


def when(moment: str) -> str:
    """Format an ISO time for people."""
    return datetime.fromisoformat(moment).strftime("%-d %B %Y, %H:%M UTC")


def age(moment: str) -> str:
    """Return the age of an ISO time, such as ``38 s`` or ``3 days``."""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    days = int(seconds // 86_400)
    return duration(seconds) if days == 0 else "1 day" if days == 1 else f"{days:,} days"


def _quantity_figures(
    records: list[RoundRecord],
    summaries: list[ArmSummary],
    cards: RunCard,
    names: list[str],
    styles: dict[str, ArmStyle],
    coming: dict[str, dict[str, Shown]],
) -> dict[Plot, go.Figure]:
    frame, first = metrics_frame(records), cards.headline_of(names)
    return {
        _plot(name, cards.quantity(name), summaries): metric_figure(
            frame,
            name,
            styles=styles,
            bounds=cards.bounds,
            coming={arm: shown.found.next for arm, shown in coming.get(name, {}).items()},
            starts={arm: shown.last for arm, shown in coming.get(name, {}).items()},
            limits=cards.quantity(name).bounds,
        )
        for name in sorted(names, key=lambda name: name != first)
    }


def _cost_figures(
    records: list[RoundRecord], cards: RunCard, styles: dict[str, ArmStyle]
) -> dict[Plot, go.Figure]:
    arms = {name for name, card in cards.arms.items() if card.verified}
    verified = [r for r in records if r.arm in arms and r.counts.generated]
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
    "Generating and verifying are summed over workers, so they can exceed wall-clock time.",
    "Seconds spent in each stage, by arm.",
)


def _part_title(part: str, whole: str, cards: RunCard) -> str:
    """Return a title such as ``3`` for ``accuracy_3`` under the heading of the whole; else its own title."""
    return part.removeprefix(f"{whole}_") if part.startswith(f"{whole}_") else cards.quantity(part).title


def _plot(name: str, quantity: Quantity, summaries: list[ArmSummary]) -> Plot:
    ends = "; ".join(
        f"{s.arm} from {short(s.changes[name].first.value)} to {short(s.changes[name].last.value)}"
        for s in summaries
        if name in s.changes
    )
    label = f"{quantity.title} of each arm over the rounds: {ends}."
    return Plot(f"metric-{name}", quantity.title, quantity.remark, quantity.meaning, label)


def _script_json(figures: dict[str, go.Figure]) -> Markup:
    text = json.dumps(figures, cls=PlotlyJSONEncoder)
    # "<" would let a text close its script element.
    return Markup(text.replace("<", "\\u003c"))
