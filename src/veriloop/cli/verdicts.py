"""``veriloop verdicts export | import``: people's verdicts, to and from Label Studio."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import FolderArgument, JsonOption

if TYPE_CHECKING:
    from ..verifiers.human.desk import Desk
    from ..verifiers.human.store import Store

app: typer.Typer = typer.Typer(
    no_args_is_help=True, help="Export samples to Label Studio, and import verdicts."
)


@app.command("export")
def export(
    folder: FolderArgument,
    to: Annotated[Path, typer.Option(metavar="FILE", help="Output JSON file, to import in Label Studio.")],
    json: JsonOption = False,
) -> None:
    """Export the samples that a run has submitted to people, and their verdicts so far."""
    from ..store.atomic import check_replaceable, write_file
    from ..verifiers.human.label_studio import to_label_studio
    from .output import print_json

    check_replaceable(to)
    store, _ = _store(folder)
    content = to_label_studio(store)
    write_file(to, content.encode())
    if json:
        print_json({"file": str(to), "bytes": len(content.encode())})
    else:
        typer.echo(f"samples and verdicts: {to}")


@app.command("import")
def import_(
    folder: FolderArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON export of Label Studio.")],
    json: JsonOption = False,
) -> None:
    """Import the verdicts in a file; a run that waits for them continues with veriloop resume."""
    from ..verifiers.human.label_studio import from_label_studio
    from .output import print_json

    store, desk = _store(folder)
    taken, left_out = from_label_studio(file.read_bytes(), store, desk)
    if json:
        print_json({"verdicts": taken, "left_out": left_out})
        return
    typer.echo(f"{taken:,} verdicts imported")
    for reason, number in left_out.items():
        typer.echo(f"{number:,} left out: {reason}")


def _store(folder: Path) -> "tuple[Store, Desk]":
    from ..errors import ConfigError
    from ..store.folder import RunFolder
    from ..verifiers.human.desk import Desk
    from ..verifiers.human.store import Store, check_there

    urls = RunFolder.open(folder).manifest().cards.verdict_stores
    if len(urls) != 1:
        raise ConfigError(
            f"stores of verdicts of the run in {folder}",
            got=", ".join(urls) or "none",
            expected="one human verifier",
        )
    check_there(urls[0], asked=False)
    return Store(urls[0]), Desk(urls[0])
