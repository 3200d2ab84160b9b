"""``veriloop demo``."""

from pathlib import Path
from typing import Annotated

import typer

from .options import JsonOption, PlainOption

ARMS = """A small model learns to draw digits from 25 real images. Then it is retrained in three arms:
  verified     on the best 5 % of its own samples, chosen by a discriminator
  unverified   on equally many of its own samples, which nothing has checked
  all_real     once, on all real images, to compare with
"""
"""What the demonstration compares; shown before it begins."""


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Seed of all random numbers.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            show_default="runs/demo-seed-SEED",
            help="Run folder; an existing run is continued.",
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Number of rounds after the start model.")] = 6,
    json: JsonOption = False,
    plain: PlainOption = False,
) -> None:
    """Retrain on verified and on unverified samples of real digits, side by side, in a few minutes."""
    from ..extras import require
    from ..starters.demo import demo_plan
    from .carry_out import carry_out

    out, plan = out or Path("runs") / f"demo-seed-{seed}", demo_plan(seed, rounds)
    require("torch", "sklearn")
    if not json:
        typer.echo(ARMS, err=True)
    carry_out(plan, out, resume="if-possible", json=json, plain=plain)
