"""``veriloop validate CONFIG``."""

import typer

from .options import ConfigArgument, JsonOption, SetOption


def validate(config: ConfigArgument, set_: SetOption = None, json: JsonOption = False) -> None:
    """Check a configuration without running it."""
    from ..config import load_plan
    from .output import print_json

    plan = load_plan(config, set_ or [])
    if json:
        print_json({"valid": True, "config": plan.config()})
        return
    typer.echo(f"{config} is valid: arms {', '.join(plan.arms)}; {plan.rounds} rounds; seed {plan.seed}")
