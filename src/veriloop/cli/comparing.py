"""Run a comparison for a user: live progress, then a table, the conclusions and the report."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ..comparison.engine import Comparison
    from ..executors.base import Executor

COLUMNS = 3
"""Largest number of quantities on the screen; fewer if it is narrow. The report has all of them."""


def carry_out_comparison(
    what: Path | Sequence[Path],
    out: Path | None,
    *,
    seeds: int | None = None,
    vary: Mapping[str, Sequence[Any]] | None = None,
    overrides: Sequence[str] = (),
    executor: "Executor | None" = None,
    write_up: bool = False,
    json: bool,
) -> None:
    """Run a comparison, and print the results.

    Raises:
        VeriloopError: See `veriloop.comparison.engine.compare`; or some runs failed, and the others were
            compared.
        typer.Exit: With code 130, after an interrupt.
    """
    from ..comparison.engine import command_of, compare
    from ..comparison.runs import RUNS
    from .live_runs import progress_of_runs
    from .output import print_json

    silent = json or write_up or out is None or not isinstance(what, Path)
    try:
        with progress_of_runs((out or Path()) / RUNS, silent=silent):
            found = compare(
                what,
                out,
                seeds=seeds,
                vary=vary,
                overrides=overrides,
                executor=executor,
                write_up=write_up,
                command=command_of(sys.argv[1:]),
            )
    except KeyboardInterrupt:
        typer.echo("interrupted; finished runs are kept; repeat the same command to continue", err=True)
        raise typer.Exit(130) from None
    if json:
        print_json(found.content())
    else:
        _show(found)
    if found.failure:
        raise found.failure


def _show(found: "Comparison") -> None:
    from rich.console import Console

    from ..comparison.engine import REPORT, RESULT
    from .output import print_table

    for line in found.sentences:
        typer.echo(line)
    # Measured without an edge, because a console's own measure never exceeds its width.
    wide, width = Console(width=10_000), Console().width
    shown = found.wholes[:COLUMNS]
    while len(shown) > 1 and wide.measure(_table(found, shown)).maximum > width:
        shown = shown[:-1]
    print_table(_table(found, shown))
    typer.echo("±: half the width of the 95 % interval")
    if found.out is not None:
        typer.echo(f"written: {found.out / RESULT}, tables, figures, and {found.out / REPORT}")


def _table(found: "Comparison", shown: Sequence[str]) -> "Table":
    from ..comparison.sentence import last_cells
    from .output import new_table

    titles = {name: found.quantities[name].title for name in shown}
    heading, *rows = last_cells(titles, {name: found.tables[name] for name in shown})
    table = new_table()
    for name in heading:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
