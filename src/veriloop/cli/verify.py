"""``veriloop verify DIR``."""

import typer

from .options import FolderArgument, JsonOption


def verify(folder: FolderArgument, json: JsonOption = False) -> None:
    """Compare every file of a run with its digest, and list those that differ."""
    from ..errors import CorruptFileError, RunFolderError
    from ..store.folder import RunFolder
    from ..store.verify import verify as verified
    from .output import print_json

    run = RunFolder(folder)
    if not run.exists():
        raise RunFolderError(f"not a run folder: {folder}", expected="a folder with manifest.json")
    found = verified(run)
    if json:
        print_json({"run": str(folder), **vars(found)})
    elif not found.has_digests:
        typer.echo(f"{folder} has format 1, which has no digests: nothing was checked")
    else:
        for name, why in found.differ.items():
            typer.echo(f"{name} {why}")
        if found.left:
            typer.echo(f"left by a killed process; the next run removes: {', '.join(found.left)}")
        if found.others:
            typer.echo(f"not part of the run, and not checked: {', '.join(found.others)}")
        if not found.differ:
            typer.echo(f"{found.checked:,} files are unchanged")
    if found.differ:
        raise CorruptFileError(
            f"{len(found.differ)} of {found.checked:,} files of {folder} differ",
            got=", ".join(list(found.differ)[:5]),
            fix="restore them from a copy",
        )
