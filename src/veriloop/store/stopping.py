"""How a run is asked to stop after the round that it is in: by a file that it looks for between rounds.

The page and ``veriloop stop`` write it, on any machine that shares the folder; the run removes it.
"""

import contextlib

from ..errors import RunFolderError
from .atomic import write_file
from .folder import RunFolder
from .heartbeat import holder_of

ASKED = "stop"
"""The file in a run folder."""

WHILE_WAITING = "while it waited for people, as asked"


def ask_to_stop(folder: RunFolder) -> None:
    """Let a run stop after the round that it is in; one that waits for people stops at once.

    Raises:
        RunFolderError: It is neither running nor waiting.
        RunLockedError: It waited for people, and has just gone on.
        StorageError: The folder cannot be written to.
    """
    status = folder.manifest().status
    if status == "waiting":
        with folder.lock():
            folder.set_status("stopped", WHILE_WAITING)
    elif status == "running" and holder_of(folder.path).alive:
        write_file(folder.path / ASKED, b"")
    else:
        raise RunFolderError(
            f"the run in {folder.path} cannot be stopped",
            got=f"{status}, and no process carries it out" if status == "running" else status,
            expected="running or waiting",
        )


def asked_to_stop(folder: RunFolder) -> bool:
    """Whether somebody has asked the run to stop after its round."""
    return (folder.path / ASKED).exists()


def forget_to_stop(folder: RunFolder) -> None:
    """Take it that nobody has asked: a run that goes on, or is over."""
    with contextlib.suppress(FileNotFoundError):
        (folder.path / ASKED).unlink()
