"""``veriloop list DIR``."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import JsonOption


def list_runs(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run folder, or a folder of run folders.")],
    json: JsonOption = False,
) -> None:
    """List the runs in a folder: their status, and how far they are."""
    from ..errors import RunFolderError
    from ..store.manifest import find_run_folders
    from .output import new_table, print_json, print_table

    if not folder.is_dir():
        raise RunFolderError(f"no such folder: {folder}", fix="check the path")
    runs = [_run(path) for path in find_run_folders(folder)]
    if json:
        print_json({"runs": runs})
    elif not runs:
        typer.echo(f"no runs in {folder}")
    else:
        table = new_table()
        for heading in ("run", "status", "seed", "begun", "rounds", "ship", "verdict"):
            table.add_column(heading)
        for run in runs:
            table.add_row(*_row(run))
        print_table(table)


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    from ..advise.versus import Versus

    name = Path(run["path"]).resolve().name
    if "error" in run:
        return name, run["status"], "", "", "", "", run["error"]
    rounds = f"{max(run['rounds_done'].values(), default=0)}/{run['rounds']}"
    ship = "" if run["ship"] is None else f"round {run['ship']}" if run["ship"] else "none"
    brief = Versus.model_validate(run["coin"]).brief if run["coin"] else ""
    return name, run["status"], str(run["seed"]), run["created"][:16].replace("T", " "), rounds, ship, brief


def _run(path: Path) -> dict[str, Any]:
    """One run as plain values. An unreadable one is listed as such: it must not hide the others."""
    from ..errors import CorruptFileError
    from ..report.answer import answer
    from ..report.summary import summarise
    from ..store.folder import RunFolder
    from .output import answer_json

    folder = RunFolder(path)
    try:
        manifest, summaries, found = folder.manifest(), summarise(folder), answer(folder)
    except CorruptFileError as e:
        return {
            "path": str(path),
            "status": "unreadable",
            "error": str(e),
            "verdict": None,
            "ship": None,
        }
    return {
        "path": str(path),
        "status": manifest.status,
        "seed": manifest.seed,
        "created": manifest.created,
        "rounds": manifest.cards.rounds,
        "rounds_done": {s.arm: s.last.round for s in summaries},
        "result": {s.arm: s.sentence() for s in summaries},
        **answer_json(found),
    }
