"""``veriloop compare CONFIG --seeds 5 --vary A.B=X,Y --out DIR``, and ``veriloop compare RUN RUN ...``."""

from pathlib import Path
from typing import Annotated

import typer

from .linear_options import WorkersOption, executor_of
from .options import JsonOption, SetOption


def compare(
    what: Annotated[
        list[Path],
        typer.Argument(
            metavar="CONFIG|RUN...",
            help="A YAML configuration; or run folders, or folders that contain them.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for runs, numbers, tables, figures and the report."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of seeds, starting at the plan's seed.", show_default="the file's, or 1"
        ),
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="A.B=X,Y", help="A setting and its values; all combinations are run."),
    ] = None,
    set_: SetOption = None,
    write_up: Annotated[
        bool, typer.Option("--write-up", help="Compute nothing; compare the runs as they are.")
    ] = False,
    executor: Annotated[
        str | None,
        typer.Option(
            help="Executor of the runs: serial, process, ray, slurm. Results do not depend on it.",
            show_default="the plan's, or process",
        ),
    ] = None,
    workers: WorkersOption = None,
    json: JsonOption = False,
) -> None:
    """Compare variations of a configuration over seeds, or existing runs.

    Repeat the same command to continue after an interrupt or a kill.
    """
    from ..comparison.variations import read_vary
    from ..errors import ConfigError
    from .comparing import carry_out_comparison

    if all(path.is_dir() for path in what):
        given = {"--seeds": seeds, "--vary": vary, "--set": set_, "--write-up": write_up}
        given |= {"--executor": executor, "--workers": workers}
        if wrong := [name for name, value in given.items() if value]:
            raise ConfigError(f"{', '.join(wrong)}: existing runs are compared unchanged")
        carry_out_comparison(what, out, json=json)
        return
    if missing := [str(path) for path in what if not path.exists()]:
        raise ConfigError("compare: no such file or folder", got=", ".join(missing), fix="check the path")
    if len(what) > 1:
        raise ConfigError(
            "compare: several paths include a file",
            got=", ".join(str(path) for path in what if not path.is_dir()),
            expected="one configuration, or only folders of runs",
        )
    if out is None:
        raise ConfigError("compare: no folder for the runs", fix="add --out DIR")
    carry_out_comparison(
        what[0],
        out,
        seeds=seeds,
        vary=read_vary(vary) if vary else None,
        overrides=set_ or [],
        executor=executor_of(executor or "process", workers) if executor or workers else None,
        write_up=write_up,
        json=json,
    )
