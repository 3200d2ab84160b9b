"""``veriloop forecast DIR --metric METRIC --arm ARM``."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .options import FolderArgument, JsonOption

if TYPE_CHECKING:
    from ..advise.forecast import Forecast


def forecast(
    folder: FolderArgument,
    metric: Annotated[
        str | None, typer.Option(help="Which metric; the run's main one.", show_default=False)
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="Which arm; the first one with a verifier.", show_default=False)
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How many rounds to forecast.")] = 3,
    better: Annotated[
        Literal["lower", "higher", "near one"] | None,
        typer.Option(help="Which way the metric is better; known for ours.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say from the rounds so far how an arm goes on, whether the gain is over, and which round to ship."""
    from ..advise.forecast import forecast as forecast_arm
    from ..report.forecasts import chain_of
    from ..store.folder import RunFolder
    from .output import print_json

    chain, metric = chain_of(RunFolder.open(folder), arm, metric)
    found = forecast_arm(chain, metric, ahead=rounds, direction=better or "")
    if json:
        about = {"run": str(folder), "arm": chain[0].arm, "metric": metric}
        print_json({**about, **found.model_dump(mode="json")})
    else:
        _print(found, chain[0].arm, metric)


def _print(found: "Forecast", arm: str, metric: str) -> None:
    from ..report.forecasts import cell
    from .output import new_table, print_table

    table = new_table()
    table.add_column(f"{arm}, {metric}")
    for heading in ("expected", "95 % interval"):
        table.add_column(heading, justify="right")
    rows = {f"round {coming.round}": coming for coming in found.next}
    rows |= {
        "plateau": found.plateau,
        "gain of the next round": found.gain,
        "  for each second": found.gain_per_second,
        "  for each verdict": found.gain_per_verdict,
    }
    for name, interval in rows.items():
        if interval is not None:
            table.add_row(name, *cell(interval))
    if found.next:
        print_table(table)
    typer.echo(found.verdict)
