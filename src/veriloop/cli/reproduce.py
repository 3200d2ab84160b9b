"""``veriloop reproduce RECIPE --out DIR``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .linear_options import ExecutorOption, WorkersOption, executor_of
from .options import JsonOption

if TYPE_CHECKING:
    from ..recipes.catalogue import Reproduced


def reproduce(
    experiment: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE",
            help="linear-phase, linear-phase-800, linear-estimators, linear-trajectories, mnist, xsum, "
            "arithmetic or collapse-zoo; a folder in recipes/ of the working directory; or another's path.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for its numbers, figures and runs.")],
    scale: Annotated[
        Literal["smoke", "cpu", "paper"],
        typer.Option(help="smoke takes seconds; the others are for a laptop, or as published."),
    ] = "cpu",
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers; the first of --seeds.")] = 0,
    seeds: Annotated[
        int,
        typer.Option(min=1, help="How many seeds, for an experiment made of runs (mnist, xsum, arithmetic)."),
    ] = 1,
    study_seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of these seeds for the secondary studies.", show_default="all"),
    ] = None,
    only: Annotated[
        str | None, typer.Option(metavar="STUDY,...", help="Run only these studies of such an experiment.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="A language model's folder, to start from (xsum, arithmetic).",
            show_default="the scale's",
        ),
    ] = None,
    write_up: Annotated[
        bool, typer.Option("--write-up", help="Compute nothing; write up the runs as they are.")
    ] = False,
    executor: ExecutorOption = "process",
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Carry out a recipe, such as a figure of the paper: draw it, and write its numbers beside it.

    A recipe made of runs goes on where it was when the same command is given again.
    """
    from ..comparison.runs import RUNS
    from ..recipes.base import Setting
    from ..recipes.catalogue import reproduce as carry_out
    from ..report.names import duration
    from .live_runs import progress_of_runs

    studies = tuple(name.strip() for name in only.split(",")) if only else ()
    setting = Setting(
        scale, seed, executor_of(executor, workers), seeds, studies, study_seeds, write_up, model
    )
    try:
        with progress_of_runs(out / RUNS, silent=json):
            done = carry_out(experiment, setting, out)
    except KeyboardInterrupt:
        typer.echo("interrupted; finished runs are kept; repeat the same command to continue", err=True)
        raise typer.Exit(130) from None
    if json:
        _print_json(experiment, scale, done)
    else:
        for line in done.finding.words:
            typer.echo(line)
        files = (done.results, *done.figures, *done.texts)
        typer.echo(f"{duration(done.seconds)}: {', '.join(map(str, files))}")
    if done.finding.failure:
        raise done.finding.failure


def _print_json(experiment: str, scale: str, done: "Reproduced") -> None:
    from ..recipes.base import plain
    from .output import print_json

    files = {
        "results": str(done.results),
        "figures": [str(path) for path in done.figures],
        "texts": [str(path) for path in done.texts],
    }
    numbers = plain(done.finding.numbers)
    print_json({"experiment": experiment, "scale": scale, "seconds": done.seconds, **files, **numbers})
