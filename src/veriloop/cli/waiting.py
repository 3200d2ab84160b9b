"""What goes on by itself: runs that wait for people, once these have judged all."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import typer

from ..store.folder import RunFolder
from ..store.manifest import find_run_folders

PAUSE = 2.0
"""Seconds between two looks at the stores of verdicts."""


def all_judged(folder: RunFolder) -> bool:
    """Whether a run waits for people, and its stores of verdicts hold no sample that still wants one.

    Runs that share a store wait for each other's samples, too.
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
    """Return when people have judged all that the run waits for.

    Raises:
        StorageError: A store of verdicts is gone or cannot be used.
    """
    while not all_judged(folder):
        time.sleep(PAUSE)


class Resumer:
    """Resumes the runs at ``root`` that wait for people, each in a process of its own, when all is judged."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._failed: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="resumer", daemon=True)

    def __enter__(self) -> "Resumer":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop: a run that goes on is interrupted; its finished rounds are safe."""
        self._over.set()
        self._thread.join()
        for process in self._running.values():
            process.send_signal(2)
        for process in self._running.values():
            process.communicate()

    def _work(self) -> None:
        while not self._over.wait(PAUSE):
            for path in find_run_folders(self._root):
                self._look_at(RunFolder(path))

    def _look_at(self, folder: RunFolder) -> None:
        from ..errors import VeriloopError

        name = str(folder.path)
        process = self._running.get(name)
        if process is not None:
            if process.poll() is None:
                return
            self._end(name, process)
        try:
            ready = name not in self._failed and all_judged(folder)
        except VeriloopError as e:
            self._failed.add(name)
            typer.echo(f"{folder.name} is not resumed: {e}", err=True)
            return
        if ready:
            typer.echo(f"{folder.name}: all is judged; it goes on")
            self._running[name] = subprocess.Popen(
                [sys.executable, "-m", "veriloop", "resume", name, "--plain"], text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip

    def _end(self, name: str, process: "subprocess.Popen[str]") -> None:
        _, said = process.communicate()
        del self._running[name]
        folder = RunFolder(Path(name))
        if process.returncode:
            self._failed.add(name)
            last = said.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
            typer.echo(f"{folder.name} could not go on: {last[0]}", err=True)
        else:
            typer.echo(f"{folder.name}: {folder.manifest().status}")
