"""``veriloop list DIR``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import JsonOption

if TYPE_CHECKING:
    from ..report.run_rows import RunRow

NARROWEST = 30
"""Characters needed for a verdict next to other columns; with fewer, each run becomes a paragraph."""


def list_runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a folder of run folders.")],
    json: JsonOption = False,
) -> None:
    """List the runs in a folder with their status, progress and results."""
    from rich.console import Console

    from ..errors import RunFolderError
    from ..report.run_rows import run_row
    from ..store.folder import RunFolder
    from ..store.manifest import find_run_folders
    from .output import print_json

    if not folder.is_dir():
        raise RunFolderError(f"no such folder: {folder}", fix="check the path")
    rows = [run_row(RunFolder(path), forecasts=json) for path in find_run_folders(folder)]
    if json:
        print_json({"runs": [row.to_json() for row in rows]})
    elif not rows:
        typer.echo(f"no runs in {folder}")
    elif not _print_table(rows, width := Console().width):
        for row in rows:
            _print_paragraph(row, width)


HEADINGS = (
    "run",
    "status",
    "seed",
    "begun",
    "rounds",
    "ship",
    "quantity",
    "start",
    "best",
    "last",
    "verdict",
)


def _print_table(rows: "list[RunRow]", width: int) -> bool:
    """Print all runs as one table if there is room for it."""
    from rich.cells import cell_len

    from .output import new_table, print_table

    cells = [_cells(row) for row in rows]
    columns = list(zip(HEADINGS, *cells, strict=True))
    fixed = sum(2 + max(map(cell_len, column)) for column in columns[:-1])
    if width - fixed < NARROWEST:
        return False
    table = new_table()
    for heading in HEADINGS[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(HEADINGS[-1])
    for row in cells:
        table.add_row(*row)
    print_table(table)
    return True


def _cells(row: "RunRow") -> tuple[str, ...]:
    from ..report.names import short

    stands = row.standing
    if row.found is None:
        return row.name, stands.status, *[""] * 8, stands.line
    course = row.course
    numbers = [short(x) for x in (course.start, course.best, course.last)] if course else [""] * 3
    verdict = f"{stands.sentence}. {brief(row)}" if stands.status == "died" else brief(row)
    about = str(row.seed), row.created[:16].replace("T", " "), f"{row.done}/{row.rounds}", shipped(row)
    return row.name, stands.status, *about, course.quantity if course else "", *numbers, verdict


def shipped(row: "RunRow") -> str:
    """Return the round to ship, or that there is none."""
    ship = row.found.answer.ship if row.found else None
    return "" if ship is None else f"round {ship.round}" if ship.round else "none"


def brief(row: "RunRow") -> str:
    """Return the verdict of one run in a few words, or the whole line if nothing is compared."""
    if row.found is None:
        return row.standing.line
    coin = row.found.answer.coin
    return coin.brief if coin else row.found.answer.line


def _print_paragraph(row: "RunRow", width: int) -> None:
    """Print one run as lines of at most ``width`` characters; only longer names are broken."""
    from rich.padding import Padding
    from rich.text import Text

    from ..report.names import short
    from .output import plain_console

    console, stands, course = plain_console(), row.standing, row.course
    lines: list[str] = [stands.status]
    if row.found is not None:
        lines = [f"{stands.status}, {row.done}/{row.rounds} rounds, seed {row.seed}, {row.created[:10]}"]
        if shipped(row):
            lines.append(f"ship {shipped(row)}")
        if course:
            numbers = f"start {short(course.start)}, best {short(course.best)}, last {short(course.last)}"
            lines.append(f"{course.quantity}: {numbers}")
        if stands.status == "died":
            lines.append(stands.sentence)
    lines.append(brief(row))
    console.print(Text(row.name, style="bold", overflow="fold"))
    for line in lines:
        console.print(Padding(Text(line, overflow="fold"), (0, 0, 0, 2), expand=False))
