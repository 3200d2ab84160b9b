"""``veriloop forecast DIR --metric METRIC --arm ARM``."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FolderArgument, JsonOption

if TYPE_CHECKING:
    from ..advise.forecasting import Forecast
    from ..quantity import Better


def forecast(
    folder: FolderArgument,
    metric: Annotated[
        str | None, typer.Option(help="Quantity; default: the run's headline.", show_default=False)
    ] = None,
    arm: Annotated[
        str | None, typer.Option(help="Arm; default: the first one with a verifier.", show_default=False)
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Number of rounds to forecast.")] = 3,
    better: Annotated[
        str | None,
        typer.Option(
            help="Better direction: lower, higher, or a target number; default: as its metric declares.",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Forecast the next rounds of an arm from the rounds so far, and name the round to ship."""
    from ..advise.forecasting import forecast as forecast_arm
    from ..report.answer import answer, gate
    from ..report.forecasts import chain_of
    from ..report.summary import by_arm
    from ..store.folder import RunFolder
    from .output import print_json

    run = RunFolder.open(folder)
    chain, metric = chain_of(run, arm, metric)
    cards = run.manifest().cards
    if better is not None:
        known = replace(cards.quantity(metric), better=_direction(better))
        cards = cards.model_copy(update={"quantities": {**cards.quantities, metric: known}})
    shipped = gate(run.rows, by_arm(run.records(), cards.arms), cards, chain[0].arm, metric)
    found = forecast_arm(chain, metric, cards.quantity(metric), ahead=rounds, shipped=shipped)
    if json:
        about = {"run": str(folder), "arm": chain[0].arm, "metric": metric}
        coin = answer(run, metric).coin
        coin_json = coin and coin.model_dump(mode="json")
        print_json({**about, **found.model_dump(mode="json"), "coin": coin_json})
    else:
        _print(found, chain[0].arm, metric)


def _direction(text: str) -> "Better":
    from ..errors import ConfigError
    from ..quantity import Near

    if text == "lower" or text == "higher":
        return text
    try:
        return Near(float(text))
    except ValueError:
        raise ConfigError("--better", got=text, expected="lower, higher, or a number, such as 1") from None


def _print(found: "Forecast", arm: str, metric: str) -> None:
    from ..report.forecasts import cell, possible
    from ..report.overview import step_of
    from .output import new_table, print_table

    table = new_table()
    table.add_column(f"{arm}, {metric}")
    for heading in ("expected", "95 % interval"):
        table.add_column(heading, justify="right")
    rows = {f"round {coming.round}": coming for coming in found.next}
    rows |= {
        "plateau": found.plateau,
        "gain of the next round": found.gain,
        "  per second": found.gain_per_second,
        "  per verdict": found.gain_per_verdict,
    }
    for name, interval in rows.items():
        if interval is not None:
            table.add_row(name, *cell(interval))
        elif name == "plateau":
            table.add_row(name, "not known", "")
    if found.next:
        print_table(table)
        typer.echo(f"Possible curves: {possible(found)}.")
    typer.echo(step_of(found) if found.better is not None else found.verdict)
    if found.better is not None:
        typer.echo(found.ship.verdict)
    if found.better is None:
        typer.echo("Set the better direction with --better lower, higher, or a target number.")
    if found.next:
        typer.echo(f"Based on the {found.split} data.")
