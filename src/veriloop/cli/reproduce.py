"""``veriloop reproduce EXPERIMENT --out DIR``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .linear_options import ExecutorOption, WorkersOption, executor_of
from .options import JsonOption


def reproduce(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="EXPERIMENT",
            help="linear-phase, linear-estimators or linear-trajectories.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where its numbers and figure go.")],
    scale: Annotated[
        Literal["smoke", "cpu", "paper"],
        typer.Option(help="Seconds, to see that it works; a laptop's; or as published."),
    ] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Of all randomness.")] = 0,
    executor: ExecutorOption = "process",
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Reproduce a figure of the paper: draw it, and write its numbers beside it."""
    from ..experiments.base import Setting, plain
    from ..experiments.catalogue import reproduce as carry_out
    from ..report.names import duration
    from .output import print_json

    done = carry_out(experiment, Setting(scale, seed, executor_of(executor, workers)), out)
    if json:
        files = {"results": str(done.results), "figures": [str(path) for path in done.figures]}
        numbers = plain(done.finding.numbers)
        print_json({"experiment": experiment, "scale": scale, "seconds": done.seconds, **files, **numbers})
        return
    for line in done.finding.words:
        typer.echo(line)
    typer.echo(f"{duration(done.seconds)}: {', '.join(map(str, (done.results, *done.figures)))}")
