"""Carry out a comparison in front of a person: live progress, then a table, the sentences and the report."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from ..comparison.engine import Comparison
    from ..executors.base import Executor

COLUMNS = 2
"""A screen has room for so many quantities; the report has all."""


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
    """Compare, and print what came of it.

    Raises:
        VeriloopError: See `veriloop.comparison.engine.compare`; or runs failed; the others are compared.
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
        typer.echo("interrupted; what has finished is kept: give the same command again to go on", err=True)
        raise typer.Exit(130) from None
    if json:
        print_json(found.content())
    else:
        _show(found)
    if found.failure:
        raise found.failure


def _show(found: "Comparison") -> None:
    from ..comparison.engine import REPORT, RESULT
    from ..comparison.sentence import last_cells
    from .output import new_table, print_table

    for line in found.sentences:
        typer.echo(line)
    shown = {name: found.quantities[name].title for name in found.wholes[:COLUMNS]}
    heading, *rows = last_cells(shown, found.tables)
    table = new_table()
    for name in heading:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*row)
    print_table(table)
    if found.out is not None:
        typer.echo(f"written: {found.out / RESULT}, tables, figures, and {found.out / REPORT}")
