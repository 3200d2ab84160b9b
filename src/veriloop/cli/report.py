"""``veriloop report DIR``, and ``veriloop report RUN RUN ... --out FILE``."""

from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption


def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="A run folder; or several, for one report.")
    ],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The HTML file, for several runs.")] = None,
    json: JsonOption = False,
) -> None:
    """Write a report of the rounds finished so far.

    The report of one run is in its folder. That of several runs compares them, with the main results of each.
    """
    from ..errors import ConfigError
    from ..extras import require
    from ..store.folder import RunFolder
    from .output import no_report, outcome_table, print_json, print_table, report_of

    several = len(folders) > 1 or not RunFolder(folders[0]).exists()
    if several and out is not None:
        _of_several(folders, out, json)
        return
    if len(folders) > 1:
        raise ConfigError(
            "report: no file for several runs", got=f"{len(folders)} folders", fix="add --out FILE.html"
        )
    run = RunFolder.open(folders[0])
    if out is not None:
        raise ConfigError(
            "report: the report of one run is in its folder", got=f"--out {out}", fix="leave out --out"
        )
    from ..report.summary import summarise

    require("plotly", "matplotlib")
    path = report_of(run)
    if json:
        print_json({"run": str(run.path), "report": path and str(path)})
    elif path is None:
        print_table(outcome_table(summarise(run)))
        typer.echo(no_report())
    else:
        typer.echo(f"report: {path}")


def _of_several(folders: list[Path], out: Path, json: bool) -> None:
    from ..comparison.engine import report_of_runs
    from .output import print_json

    found = report_of_runs(folders, out)
    if json:
        print_json({"runs": [str(folder) for folder in folders], "report": str(out), **found.content()})
        return
    for line in found.sentences:
        typer.echo(line)
    typer.echo(f"report: {out}")
