"""``veriloop validate CONFIG``."""

from typing import TYPE_CHECKING

import typer

from .options import ConfigArgument, JsonOption, SetOption

if TYPE_CHECKING:
    from rich.table import Table

    from ..loop import CheckedPlan


def validate(config: ConfigArgument, set_: SetOption = None, json: JsonOption = False) -> None:
    """Check a configuration against its data, files and functions, without training anything.

    For a configuration with the keys seeds or vary, every variation is checked and the first is shown.
    """
    from ..comparison.variations import check, requested
    from .output import print_json, print_table

    request = requested(config, overrides=set_ or [])
    found = next(iter(check(request).values()))
    if json:
        cards = found.cards.model_dump(mode="json")
        known = {
            "cards": cards,
            "schema": found.schema.dump(),
            "downloads": list(found.downloads),
            "notes": found.notes,
        }
        if request.runs > 1:
            known |= {"variations": list(request.plans), "seeds": list(request.seeds)}
        print_json({"valid": True, **known, "data": found.seen and found.seen._asdict()})
        return
    plan = found.plan
    if request.runs > 1:
        typer.echo(f"first of {len(request.plans)} variations: {next(iter(request.plans))}")
    for table in (_columns(found), _arms(found), _quantities(found)):
        if table.row_count:
            print_table(table)
    for line in _data(found):
        typer.echo(line)
    for part, lines in found.notes.items():
        for line in lines:
            typer.echo(f"{part}: {line}")
    for what in found.downloads:
        typer.echo(f"a run will download: {what}")
    seeds = f"seed{'s' if len(request.seeds) > 1 else ''} {', '.join(map(str, request.seeds))}"
    typer.echo(f"{config} is valid: arms {', '.join(plan.arms)}; {plan.rounds} rounds; {seeds}")
    if request.runs > 1:
        typer.echo(f"{request.runs} runs: each of {'; '.join(request.plans)} with each seed")


def _data(found: "CheckedPlan") -> list[str]:
    """Describe the data: rows, and the turns of chats."""
    if found.seen is None:
        return ["rows: counted when a run reads them; a check does not read large files completely"]
    lines = ["rows: " + ", ".join(f"{split} {n:,}" for split, n in found.seen.rows.items())]
    total = sum(n for split, n in found.seen.rows.items() if split != "start")
    for name, turns in found.seen.turns.items():
        system = found.seen.system[name]
        lines.append(
            f"{name}: {turns:,} turns in {total:,} chats before the generated one; "
            f"{system:,} with a system prompt"
        )
    return lines


def _columns(found: "CheckedPlan") -> "Table":
    table = _table("column", "role", "", "")
    for name, column in found.schema.dump().items():
        of = {key: value for key, value in column.items() if key not in ("role", "given", "in_data")}
        details = ", ".join(f"{key} {value}" for key, value in of.items())
        if not column.get("in_data", True):
            details = "not in the data"
        table.add_row(name, column["role"], "given" if column["given"] else "made", details)
    return table


def _arms(found: "CheckedPlan") -> "Table":
    table = _table("arm", "trained on", "judged by", "rounds")
    for name, card in found.cards.arms.items():
        trained_on = "its own samples" if card.role == "chain" else "all real data"
        table.add_row(name, trained_on, card.verifier or "nobody", str(card.last_round))
    return table


def _quantities(found: "CheckedPlan") -> "Table":
    table = _table("quantity", "title", "better", "unit")
    for name, quantity in found.cards.quantities.items():
        table.add_row(name, quantity.title or name, quantity.direction or "none", quantity.unit)
    return table


def _table(*headings: str) -> "Table":
    from .output import new_table

    table = new_table()
    for heading in headings:
        table.add_column(heading)
    return table
