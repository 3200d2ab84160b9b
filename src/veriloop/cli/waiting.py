"""Automatic continuation of runs that wait for people, once everything is judged."""

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ..store.folder import RunFolder
from ..store.manifest import find_run_folders

if TYPE_CHECKING:
    from ..web.resuming import Resuming

PAUSE = 2.0
"""Seconds between two checks of the stores of verdicts."""


def all_judged(folder: RunFolder) -> bool:
    """Whether a run waits for people, and no sample in its stores of verdicts is left to judge.

    Runs that share a store also wait for each other's samples.
    """
    from ..verifiers.human.desk import Desk
    from ..verifiers.human.store import check_there

    manifest = folder.manifest()
    stores = manifest.cards.verdict_stores
    if manifest.status != "waiting" or not stores:
        return False
    for store in stores:
        check_there(store, asked=True)
    return all(Desk(store).progress("").waiting == 0 for store in stores)


def wait_for_people(folder: RunFolder) -> None:
    """Return when people have judged all that the run waits for, or it waits no longer.

    Raises:
        StorageError: A store of verdicts is missing or cannot be used.
    """
    while folder.manifest().status == "waiting" and not all_judged(folder):
        time.sleep(PAUSE)


class Resumer:
    """Resumes the runs at ``root`` that wait for people, when all is judged.

    Args:
        root: A run folder, or a folder of run folders.
        resuming: Starts the processes.
    """

    def __init__(self, root: Path, resuming: "Resuming") -> None:
        self._root, self._resuming = root, resuming
        self._started: set[str] = set()
        self._failed: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="resumer", daemon=True)

    def __enter__(self) -> "Resumer":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Resume no other; running ones are left to the owner of ``resuming``."""
        self._over.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(PAUSE):
            for path in find_run_folders(self._root):
                self._look_at(RunFolder(path))

    def _look_at(self, folder: RunFolder) -> None:
        from ..errors import VeriloopError

        name = str(folder.path)
        if self._resuming.is_under_way(folder):
            return
        if name in self._started:
            self._started.remove(name)
            self._tell(folder)
        try:
            if name in self._failed or not all_judged(folder):
                return
            typer.echo(f"{folder.name}: everything is judged; continuing")
            self._resuming.start(folder)
            self._started.add(name)
        except VeriloopError as e:
            self._failed.add(name)
            typer.echo(f"{folder.name} is not resumed: {e}", err=True)

    def _tell(self, folder: RunFolder) -> None:
        """Say how it went on."""
        if problem := self._resuming.problem(folder):
            self._failed.add(str(folder.path))
            typer.echo(f"{folder.name} could not go on: {problem}", err=True)
        else:
            typer.echo(f"{folder.name}: {folder.manifest().status}")
