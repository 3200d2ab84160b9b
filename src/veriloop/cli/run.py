"""``veriloop run CONFIG --out DIR``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import ConfigArgument, JsonOption, PlainOption, SetOption


def run(
    config: ConfigArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The run folder; made if it does not exist.")],
    set_: SetOption = None,
    resume: Annotated[
        Literal["never", "always", "if-possible"],
        typer.Option(help="What to do about a run that is in DIR already."),
    ] = "never",
    json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Run a configuration, then write its report."""
    from ..config import load_plan
    from .carry_out import carry_out

    carry_out(load_plan(config, set_ or []), out, resume=resume, json=json, plain=plain)
