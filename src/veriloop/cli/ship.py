"""``veriloop ship RUN --arm ARM --quantity QUANTITY --error ERROR``."""

from typing import TYPE_CHECKING, Annotated

import typer

from .options import FolderArgument, JsonOption

if TYPE_CHECKING:
    from ..advise.ship import Ship


def ship(
    folder: FolderArgument,
    arm: Annotated[
        str | None, typer.Option(help="Arm; default: the first one with a verifier.", show_default=False)
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(help="Quantity; default: the plan's, or the headline.", show_default=False)
    ] = None,
    error: Annotated[
        float | None,
        typer.Option(
            help="Probability of naming a round that is not better; default: the plan's.", show_default=False
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Find the round that is shown to be better than the start, and whether the verifier beats none."""
    from ..errors import ConfigError
    from ..report.answer import answer, gate
    from ..report.forecasts import chain_of
    from ..report.summary import by_arm
    from ..store.folder import RunFolder
    from .output import print_json, print_lines

    if error is not None and not 0 < error < 0.5:
        raise ConfigError("--error", got=error, expected="a probability above 0 and below 0.5")
    run = RunFolder.open(folder)
    cards = run.manifest().cards
    chain, name = chain_of(run, arm, quantity or cards.ship.quantity)
    found = gate(run.rows, by_arm(run.records(), cards.arms), cards, chain[0].arm, name, error)
    whole = answer(run, name)
    if json:
        about = {"run": str(folder), "arm": chain[0].arm}
        print_json(
            {
                **about,
                **found.model_dump(mode="json"),
                "coin": whole.coin and whole.coin.model_dump(mode="json"),
            }
        )
    else:
        _print(found, chain[0].arm)
        at_ship = [whole.at_ship.line] if whole.at_ship is not None else []
        print_lines([found.verdict, *at_ship, whole.line])


def _print(found: "Ship", arm: str) -> None:
    from ..report.names import MISSING, signed
    from .output import new_table, print_table

    table = new_table()
    table.add_column(f"{arm}, {found.quantity}")
    for heading in ("gain", "at least", f"better than {found.than}"):
        table.add_column(heading, justify="right")
    better = "measured so" if found.by == "values" else "shown"
    for look in found.evidence:
        at_least = signed(look.at_least) if look.at_least == look.at_least else MISSING
        table.add_row(f"round {look.round}", signed(look.gain), at_least, better if look.shown else "")
    if found.evidence:
        print_table(table)
