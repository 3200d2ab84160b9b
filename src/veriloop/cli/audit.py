"""``veriloop audit TABLE --real TABLE --accepted COLUMN (--features A,B | --array KEY | --text COLUMN)``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import JsonOption

if TYPE_CHECKING:
    from ..report.audit_table import AuditedTable


def audit(
    table: Annotated[
        Path,
        typer.Argument(metavar="TABLE", help="Generated rows with verdicts: .jsonl, .parquet, .csv or .npz."),
    ],
    real: Annotated[Path, typer.Option(metavar="TABLE", help="Real rows, in a file of the same kind.")],
    accepted: Annotated[
        str, typer.Option(metavar="COLUMN", help="What was accepted; empty where the verifier abstained.")
    ],
    features: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Columns of numbers to audit in.")
    ] = None,
    array: Annotated[
        str | None, typer.Option(metavar="KEY", help="An array of .npz files, rows x features, to audit in.")
    ] = None,
    text: Annotated[str | None, typer.Option(metavar="COLUMN", help="Texts to audit in.")] = None,
    score: Annotated[str | None, typer.Option(metavar="COLUMN", help="The scores that decided.")] = None,
    rule: Annotated[
        Literal["fixed", "top_fraction"],
        typer.Option(help="Each row was accepted for itself, or the best share of all by score."),
    ] = "fixed",
    json: JsonOption = False,
) -> None:
    """Will this verifier help? Read it from one round of its verdicts, before any training."""
    from ..report.audit_table import audit_table
    from .output import print_json

    columns = features.split(",") if features else []
    found = audit_table(
        table, real, accepted, features=columns, array=array, text=text, score=score, rule=rule
    )
    if json:
        print_json(found.audit.to_json())
    else:
        _print(found)


def _print(found: "AuditedTable") -> None:
    from ..report.audits import hardest_pulled, lines
    from .output import new_table, print_table

    table = new_table()
    table.add_column("distances are in spreads of the model")
    for heading in ("value", "95 % interval"):
        table.add_column(heading, justify="right")
    for line in lines(found.audit):
        table.add_row(*line)
    print_table(table)
    typer.echo(f"pulled hardest: {hardest_pulled(found)}")
    for kind, rows in (("wanted", found.audit.wanted), ("unwanted", found.audit.unwanted)):
        for row in rows if found.texts else []:
            typer.echo(f"{kind}, row {row + 1}: {' '.join(found.texts[row].split())[:100]}")
    for warning in found.audit.warnings:
        typer.echo(f"note: {warning}")
    typer.echo(found.audit.verdict)
