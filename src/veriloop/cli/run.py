"""``veriloop run CONFIG [--out DIR]``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import AcceptChangesOption, ConfigArgument, JsonOption, PlainOption, SetOption, WaitOption


def run(
    config: ConfigArgument,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default="runs/NAME of CONFIG",
            help="Run folder, created if missing.",
        ),
    ] = None,
    set_: SetOption = None,
    resume: Annotated[
        Literal["never", "always", "if-possible"],
        typer.Option(help="How to treat an existing run in DIR."),
    ] = "never",
    accept_changes: AcceptChangesOption = False,
    wait: WaitOption = False,
    json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Run a configuration, then write its report.

    A configuration with the keys seeds or vary is run like veriloop compare.
    """
    from ..comparison.variations import is_comparison
    from ..config import load_plan
    from ..errors import ConfigError
    from ..starters.base import run_folder
    from .carry_out import carry_out
    from .comparing import carry_out_comparison

    out = out or run_folder(config)
    if is_comparison(config, set_ or []):
        if resume == "always" or accept_changes:
            raise ConfigError(
                "--resume always and --accept-changes apply to single runs only",
                got="a comparison, with the keys seeds or vary",
                fix="remove them: existing runs are continued",
            )
        carry_out_comparison(config, out, overrides=set_ or [], json=json)
        return
    plan = load_plan(config, set_ or [])
    carry_out(plan, out, resume=resume, accept_changes=accept_changes, wait=wait, json=json, plain=plain)
