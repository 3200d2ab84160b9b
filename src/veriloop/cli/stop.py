"""``veriloop stop DIR``."""

import typer

from .options import FolderArgument, JsonOption


def stop(folder: FolderArgument, json: JsonOption = False) -> None:
    """Stop a run after its current round. Nothing is lost, and the run can be resumed."""
    from ..report.standing import resume_command
    from ..store.folder import RunFolder
    from ..store.stopping import ask_to_stop, asked_to_stop
    from .output import print_json

    run = RunFolder.open(folder)
    ask_to_stop(run)
    still_running = asked_to_stop(run)
    if json:
        print_json({"run": str(folder), "stopped": not still_running, "resume": resume_command(run)})
        return
    when = "the run stops after its current round" if still_running else "the run is stopped"
    typer.echo(f"{when}; continue later with: {resume_command(run)}")
