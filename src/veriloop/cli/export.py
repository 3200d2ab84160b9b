"""``veriloop export DIR --to FILE [--as SHAPE]`` and ``veriloop export DIR --model DIR``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .options import FolderArgument, JsonOption, TrustOption


def export(
    folder: FolderArgument,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Output file for samples, .parquet or .jsonl.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="New folder for the round's model, with a model card."),
    ] = None,
    round_: Annotated[
        int | None,
        typer.Option("--round", min=0, help="Round; default: the round to ship.", show_default=False),
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="Arm; default: the first one with a verifier.", show_default=False)
    ] = None,
    form: Annotated[
        Literal["columns", "messages", "prompt-completion", "preference", "unpaired"],
        typer.Option("--as", help="The data's columns, or a format of TRL's trainers."),
    ] = "columns",
    rejected: Annotated[
        bool, typer.Option("--rejected", help="Export rejected candidates instead of kept samples.")
    ] = False,
    adapter: Annotated[
        bool, typer.Option("--adapter", help="Of a run with LoRA: the adapter without its model.")
    ] = False,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Export samples of a round to a file, or its model to a folder, with a card that describes them."""
    from ..ask.export import export as export_samples
    from ..config import plan_of
    from ..errors import ConfigError
    from ..report.models import export_model, to_ship
    from ..store.folder import RunFolder
    from .output import print_json

    run = RunFolder.open(folder)
    if (to is None) == (model is None):
        raise ConfigError("what to export", expected="either --to FILE, for samples, or --model DIR")
    if model is not None:
        if rejected or form != "columns":
            raise ConfigError("--model exports a model", fix="remove --as and --rejected")
        found = export_model(run, model, arm, round_, adapter=adapter)
        if json:
            print_json({"folder": str(model), "arm": found.arm, "round": found.round})
        else:
            typer.echo(f"model of round {found.round} of {found.arm}: {model}")
        return
    if adapter:
        raise ConfigError("--adapter goes with --model DIR", fix="drop --adapter")
    assert to is not None
    of = to_ship(run, arm, round_)
    plan = lambda: plan_of(run, trust=trust)  # noqa: E731 - made only where candidates are needed
    done = export_samples(run, of.round, of.arm, to, form, rejected=rejected, plan=plan)
    if json:
        about = {"file": str(to), "card": str(done.card), "rows": done.rows}
        print_json({**about, "arm": of.arm, "round": of.round})
    else:
        rows = "pairs" if form == "preference" else "samples"
        typer.echo(
            f"{done.rows:,} {rows} of round {of.round} of {of.arm}: {to} ({done.card.name} next to it)"
        )
