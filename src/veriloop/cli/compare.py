"""``veriloop compare CONFIG --seeds 5 --vary A.B=X,Y --out DIR``, and ``veriloop compare RUN RUN ...``."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .linear_options import ExecutorOption, WorkersOption, executor_of
from .options import JsonOption, SetOption


def compare(
    what: Annotated[
        list[Path],
        typer.Argument(metavar="CONFIG|RUN...", help="A YAML configuration, or two or more run folders."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where runs, numbers, tables, figures and the report go."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="How many seeds, from the plan's own on.", show_default="the file's, or 1"),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="A.B=X,Y", help="A setting and its values; all combinations run."),
    ] = None,
    set_: SetOption = None,
    write_up: Annotated[
        bool, typer.Option("--write-up", help="Compute nothing; compare what the runs hold so far.")
    ] = False,
    executor: ExecutorOption = "process",
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Compare variations of a configuration over seeds, or runs that exist.

    Give the same command again to go on after an interrupt or a kill.
    """
    from ..comparison.engine import RESULT, command_of
    from ..comparison.engine import compare as carry_out
    from ..comparison.runs import RUNS
    from ..comparison.sentence import last_cells
    from ..comparison.variations import read_vary
    from ..errors import ConfigError
    from .live_runs import progress_of_runs
    from .output import new_table, print_json, print_table

    of_runs = all(path.is_dir() for path in what)
    if of_runs:
        given = {"--seeds": seeds, "--vary": vary, "--set": set_, "--write-up": write_up}
        if wrong := [name for name, value in given.items() if value]:
            raise ConfigError(f"{', '.join(wrong)}: runs that exist are compared as they are")
        if len(what) < 2:
            raise ConfigError(
                "compare", got="one run", expected="two or more run folders, or a configuration"
            )
    elif len(what) > 1:
        raise ConfigError(
            "compare",
            got=", ".join(map(str, what)),
            expected="one configuration, or run folders only",
        )
    elif out is None:
        raise ConfigError("compare: no folder for the runs", fix="add --out DIR")
    try:
        with progress_of_runs((out or Path()) / RUNS, silent=json or of_runs):
            found = carry_out(
                what if of_runs else what[0],
                out,
                seeds=seeds,
                vary=read_vary(vary) if vary else None,
                overrides=set_ or [],
                executor=executor_of(executor, workers),
                write_up=write_up,
                command=command_of(sys.argv[1:]),
            )
    except KeyboardInterrupt:
        typer.echo("interrupted; what has finished is kept: give the same command again to go on", err=True)
        raise typer.Exit(130) from None
    if json:
        print_json(found.content())
    else:
        # A screen has room for a few columns; the report has all.
        heading, *rows = last_cells({n: found.quantities[n].title for n in found.wholes[:2]}, found.tables)
        table = new_table()
        for name in heading:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*row)
        print_table(table)
        for line in found.sentences:
            typer.echo(line)
        if out is not None:
            typer.echo(f"written: {out / RESULT}, tables, figures, and {out / 'report.html'}")
    if found.failure:
        raise found.failure
