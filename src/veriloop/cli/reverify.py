"""``veriloop reverify RUN --arm ARM --round K --verifier FILE [--verifier FILE ...]``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FolderArgument, JsonOption, TrustOption

if TYPE_CHECKING:
    from ..ask.reverify import Reverified


_INTERVAL = "95 % interval"


def reverify(
    folder: FolderArgument,
    verifier: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="A YAML file with a verifier, see above; repeatable."),
    ],
    arm: Annotated[str, typer.Option(help="Arm of the round.")] = "verified",
    round_: Annotated[
        int | None, typer.Option("--round", min=1, help="Round; default: the last one.")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="Quantity to predict; default: the run's headline.", show_default=False)
    ] = None,
    trial: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            min=0.01,
            max=1.0,
            help="Train a trial model on this share of what each verifier keeps: slower, but more precise.",
        ),
    ] = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Choose a verifier before training: judge a round's candidates with several verifiers, and rank them.

    FILE contains a verifier as in a configuration (kind: discriminator, ...), or the keys verifier and
    acceptance. Without --trial, only verifiers are trained.
    """
    from ..ask.reverify import reverify as rank
    from ..config import plan_of, rival_of
    from ..store.folder import RunFolder
    from .output import print_json

    run = RunFolder.open(folder)
    plan = plan_of(run, trust=trust)
    rivals = {path.stem: rival_of(path, plan, arm) for path in verifier}
    found = rank(plan, run, arm, round_, rivals, metric, trial)
    if json:
        print_json({"run": str(folder), **found.model_dump(mode="json")})
    else:
        _print(found, trial is not None)


def _print(found: "Reverified", trial: bool) -> None:
    from ..report.forecasts import cell
    from ..report.names import MISSING, short
    from .output import new_table, print_table

    table = new_table()
    title = f"{found.subject}: {found.quantity}"
    table.add_column(title, min_width=max(map(len, title.split())))
    asks = any(choice.requests for choice in found.choices)
    headings = [
        "after the round",
        _INTERVAL,
        "of the trial" if trial else "of what is kept",
        "accepted",
        "gain",
        "seconds",
    ]
    for heading in [*headings, "requests"] if asks else headings:
        # Headings are not cut on narrow terminals.
        longest = max(map(len, heading.split()))
        table.add_column(heading, justify="right", min_width=longest, no_wrap=heading == _INTERVAL)
    for choice in found.choices:
        value, interval = cell(choice.predicted)
        gain = MISSING if choice.gain is None else f"{choice.gain.value:+.2f}"
        table.add_row(
            choice.name, value, interval, short(choice.kept_quality.value), f"{choice.accepted.value:.1%}",
            gain, f"{choice.seconds:.1f}", *([f"{choice.requests:,}"] if asks else []),
        )  # fmt: skip
    print_table(table)
    typer.echo(f"before the round: {short(found.before)}; {found.better} is better")
    typer.echo(f"based on {len(found.pairs)} finished rounds, on the data for decisions")
    kappas = "; ".join(f"{pair} {kappa.value:.2f}" for pair, kappa in found.kappa.items())
    typer.echo(f"agreement (Cohen's kappa): {kappas}")
    for choice in found.choices:
        for note in choice.notes:
            typer.echo(f"{choice.name}: {note}")
    if len(found.choices) > 1:
        typer.echo(_best(found, trial))


def _best(found: "Reverified", trial: bool) -> str:
    """Describe the first choice, and which others may be better."""
    from ..report.forecasts import cell

    best, *others = found.choices
    leads = [(other.name, found.ahead[f"{best.name} / {other.name}"]) for other in others]
    open_ = [(name, cell(lead)) for name, lead in leads if lead.low <= 0]
    if not open_:
        return f"best: {best.name}"
    listed = ", ".join(f"over {name} {value} ({interval})" for name, (value, interval) in open_)
    remedy = "" if trial else "; --trial 0.25 is more precise"
    return f"best: {best.name}; its lead may be nothing: {listed}{remedy}"
