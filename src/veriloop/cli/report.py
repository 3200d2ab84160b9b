"""``veriloop report DIR``."""

import typer

from .options import FolderArgument, JsonOption


def report(folder: FolderArgument, json: JsonOption = False) -> None:
    """Write the report of a run anew, of the rounds that have finished so far."""
    from ..report.html import write_report
    from ..store.folder import RunFolder
    from .output import print_json

    path = write_report(RunFolder.open(folder))
    if json:
        print_json({"run": str(folder), "report": str(path)})
    else:
        typer.echo(f"report: {path}")
