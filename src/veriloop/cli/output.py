"""Output of commands: one JSON object for machines, or text and tables for people."""

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from ..events import AboutData, VerifierSilent
    from ..quantity import Quantity
    from ..report.summary import ArmSummary, Change
    from ..store.folder import RunFolder


def print_json(value: dict[str, Any]) -> None:
    """Print one JSON object; NaN and infinity must already be None."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def print_table(table: "Table") -> None:
    """Print a table on stdout, without interpreting markup such as ``[red]`` in names."""
    plain_console().print(table)


def report_of(folder: "RunFolder") -> "Path | None":
    """Write the report of a run and return its path; None if it cannot be written, see `no_report`."""
    from ..errors import ReadOnlyError
    from ..showing import drawable

    if not drawable():
        return None
    from ..report.html import write_report

    try:
        return write_report(folder)
    except ReadOnlyError:
        return None


def no_report() -> str:
    """Return the reason why `report_of` wrote nothing, for the screen."""
    from ..showing import drawable

    if drawable():
        return "the folder is read-only: nothing was written"
    return "no report: that needs pip install 'veriloop[report]', and then veriloop report DIR"


def new_table() -> "Table":
    """Return a table in the common style of all commands."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)


def data_line(seen: "AboutData") -> str:
    """Describe an event about the data: rows that are too long, left out, or in two splits."""
    from ..events import DuplicatesLeftOut, HeldOutSeen, PromptsCut

    match seen:
        case PromptsCut():
            return f"{seen.cut:,} of {seen.of:,} prompts are too long and are cut"
        case DuplicatesLeftOut():
            return f"rows left out because an equal row is in another split: {_by_split(seen.left_out)}"
        case HeldOutSeen():
            rows = _by_split(seen.seen)
            return f"held-out rows that are also training rows, so results are too good: {rows}"
    return "rows left out: " + ", ".join(f"{n:,} because {why}" for why, n in seen.left_out.items())


def _by_split(rows: "Mapping[str, int]") -> str:
    return ", ".join(f"{n:,} of {split}" for split, n in rows.items())


def silent_line(seen: "VerifierSilent") -> str:
    """Report that the verifier does not distinguish candidates."""
    return f"{seen.arm} round {seen.round}: {seen.why}"


def example_line(example: Mapping[str, str]) -> str:
    """Show one of the candidates that are not distinguished."""
    from ..events import in_words

    return f"  such as {in_words(example)}"


def plain_console() -> "Console":
    """Return a console that prints text from users unchanged, such as a folder called ``[red]``."""
    from rich.console import Console

    return Console(highlight=False, markup=False)


def print_lines(lines: "Iterable[str]") -> None:
    """Print lines that a terminal wraps at words, and that stay whole in a file."""
    for line in lines:
        typer.echo(line)


def outcome_json(folder: "RunFolder", report: "Path | None", summaries: "list[ArmSummary]") -> dict[str, Any]:
    """Return a run's outcome: its folder, report and status, and the first and last record of each arm."""
    from ..report.overview import overview

    manifest, found = folder.manifest(), overview(folder)
    return {
        "run": str(folder.path),
        "report": report and str(report),
        "stopped_arms": manifest.stopped_arms,
        **found.to_json(),
        "first": {s.arm: s.first.model_dump(mode="json") for s in summaries},
        "last": {s.arm: s.last.model_dump(mode="json") for s in summaries},
    }


def outcome_table(summaries: "list[ArmSummary]") -> "Table":
    """Compare first and last round, with a row per quantity and a column per arm."""
    from rich.text import Text

    table = new_table()
    table.add_column("first → last round")
    for summary in summaries:
        rounds = "all real data" if summary.is_bound else f"{summary.rounds} rounds"
        table.add_column(Text(f"{summary.arm}\n{rounds}"), justify="right")
    names = list(dict.fromkeys(name for s in summaries for name in s.last.metrics))
    for name in summaries[0].cards.wholes(names) if summaries else ():
        cells = [_outcome(s.changes.get(name), s.is_bound) for s in summaries]
        table.add_row(name + _arrow(summaries[0].cards.quantity(name)), *cells)
    return table


def _arrow(quantity: "Quantity") -> str:
    """Return an arrow in the better direction: up, down, or towards a value."""
    match quantity.better:
        case None:
            return ""
        case "lower":
            return " ↓"
        case "higher":
            return " ↑"
        case near:
            return f" →{near.near:g}"


def _outcome(change: "Change | None", is_bound: bool) -> str:
    from ..report.names import short

    if change is None:
        return ""
    if is_bound:
        return short(change.last.value)
    ratio = f"  x{change.ratio:.2f}" if change.ratio == change.ratio else ""
    return f"{short(change.first.value)} → {short(change.last.value)}{ratio}"
