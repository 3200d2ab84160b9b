"""``veriloop run CONFIG --out DIR``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import AcceptChangesOption, ConfigArgument, JsonOption, PlainOption, SetOption


def run(
    config: ConfigArgument,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The run folder; made if it does not exist.")],
    set_: SetOption = None,
    resume: Annotated[
        Literal["never", "always", "if-possible"],
        typer.Option(help="What to do about a run that is in DIR already."),
    ] = "never",
    accept_changes: AcceptChangesOption = False,
    json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Run a configuration, then write its report."""
    from ..config import load_plan
    from .carry_out import carry_out

    plan = load_plan(config, set_ or [])
    carry_out(plan, out, resume=resume, accept_changes=accept_changes, json=json, plain=plain)
