"""``veriloop calibrate DIR --arm ARM``, or ``--table FILE --score COLUMN --known COLUMN``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import JsonOption, TrustOption

if TYPE_CHECKING:
    from ..advise.calibrated import Calibrated

Bad = Literal["start", "shuffled", "mislabelled"]
BadOption = Annotated[
    Bad,
    typer.Option(help="Known bad samples: those of the start model, or real ones shuffled or mislabelled."),
]
LevelOption = Annotated[
    Literal["nominal", "interval"],
    typer.Option(help="Whether labels are names, or numbers whose differences count."),
]


def calibrate(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="A run folder.", show_default=False)
    ] = None,
    arm: Annotated[str, typer.Option(help="Arm with the verifier.")] = "verified",
    round_: Annotated[
        int | None, typer.Option("--round", min=1, help="Round; default: the last one.")
    ] = None,
    bad: BadOption = "start",
    samples: Annotated[
        int, typer.Option(min=2, help="Largest number of known good samples, and of bad ones.")
    ] = 1_000,
    table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Use a .jsonl, .parquet or .csv file instead of a run."),
    ] = None,
    score: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with scores or verdicts.")
    ] = None,
    known: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column with the truth: yes or no.")
    ] = None,
    gold: Annotated[str | None, typer.Option(hidden=True)] = None,
    annotators: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Columns of people's labels to compare.")
    ] = None,
    level: LevelOption = "nominal",
    text: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Text column, to test for a preference for length.")
    ] = None,
    position: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Column to split by, to see whether accuracy depends on it."),
    ] = None,
    at: Annotated[float | None, typer.Option(help="Lowest accepted score; default: the best one.")] = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Compare a verifier with known samples: how often is it wrong, and what does it prefer?"""
    from ..errors import ConfigError
    from .output import no_report, print_json

    if gold is not None:
        raise ConfigError("--gold belongs to an earlier version", fix=f"write --known {gold}")
    if (folder is None) == (table is None):
        raise ConfigError("what to calibrate", expected="either a run folder or --table FILE")
    if folder is not None:
        found, report = _of_run(folder, arm, round_, bad, samples, at, trust)
    else:
        from ..ask.known_table import calibrate_table

        assert table is not None
        columns = annotators.split(",") if annotators else []
        found = calibrate_table(
            table,
            score=score,
            known=known,
            annotators=columns,
            text=text,
            position=position,
            at=at,
            level=level,
        )
        report = None
    if json:
        print_json({"report": report and str(report), **found.model_dump(mode="json")})
    else:
        _print(found, report)
        if folder is not None and report is None:
            typer.echo(no_report())


def _of_run(
    path: Path,
    arm: str,
    round_: int | None,
    bad: Bad,
    most: int,
    at: float | None,
    trust: bool,
) -> "tuple[Calibrated, Path | None]":
    from ..ask.known import calibrate_arm
    from ..config import plan_of
    from ..store.folder import RunFolder
    from .output import report_of

    folder = RunFolder.open(path)
    found = calibrate_arm(plan_of(folder, trust=trust), folder, arm, round_, bad, most, at)
    return found, report_of(folder)


def _print(found: "Calibrated", report: Path | None) -> None:
    from ..report.calibrations import lines, remark
    from .output import new_table, print_table

    table = new_table()
    table.add_column(found.subject)
    for heading in ("value", "95 % interval", "samples"):
        table.add_column(heading, justify="right")
    for line in lines(found):
        table.add_row(*line)
    print_table(table)
    if found.calibration is not None:
        typer.echo(f"known good: {found.good_are}\nknown bad: {found.bad_are}\n{remark(found)}")
    for why, number in found.left_out.items():
        typer.echo(f"left out: {number:,} rows, {why}")
    if report is not None:
        typer.echo(f"report: {report}")
