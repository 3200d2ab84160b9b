"""``veriloop report DIR``."""

import typer

from .options import FolderArgument, JsonOption


def report(folder: FolderArgument, json: JsonOption = False) -> None:
    """Write a report of the rounds finished so far."""
    from ..extras import require
    from ..report.summary import summarise
    from ..store.folder import RunFolder
    from .output import no_report, outcome_table, print_json, print_table, report_of

    run = RunFolder.open(folder)
    require("plotly", "matplotlib")
    path = report_of(run)
    if json:
        print_json({"run": str(folder), "report": path and str(path)})
    elif path is None:
        print_table(outcome_table(summarise(run)))
        typer.echo(no_report())
    else:
        typer.echo(f"report: {path}")
