"""``veriloop stop DIR``."""

import typer

from .options import FolderArgument


def stop(folder: FolderArgument) -> None:
    """Let a run stop after the round that it is in; nothing is lost, and it can be resumed."""
    from ..report.standing import resume_command
    from ..store.folder import RunFolder
    from ..store.stopping import ask_to_stop, asked_to_stop

    run = RunFolder.open(folder)
    ask_to_stop(run)
    when = "it stops after the round that it is in" if asked_to_stop(run) else "it is stopped"
    typer.echo(f"{when}; go on later with: {resume_command(run)}")
