"""``veriloop export DIR --round K --arm ARM --to FILE [--as prompt-completion]``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import FolderArgument, JsonOption


def export(
    folder: FolderArgument,
    round_: Annotated[int, typer.Option("--round", min=0, help="Which round.")],
    arm: Annotated[str, typer.Option(help="Which arm.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="A .parquet or .jsonl file.")],
    form: Annotated[
        Literal["columns", "prompt-completion"],
        typer.Option("--as", help="The data's columns, or what a language model was trained on."),
    ] = "columns",
    json: JsonOption = False,
) -> None:
    """Write the samples that a round kept, each with its provenance, to a file for other tools."""
    from ..report.export import export_kept
    from ..store.folder import RunFolder
    from .output import print_json

    rows = export_kept(RunFolder.open(folder), round_, arm, to, form)
    if json:
        print_json({"file": str(to), "rows": rows})
    else:
        typer.echo(f"{rows:,} samples: {to}")
