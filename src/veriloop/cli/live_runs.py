"""Live progress of many runs at once: a line on stderr for each finished round, with the run's name."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ..events import RunEnded
from ..store.folder import RunFolder
from ..store.manifest import find_run_folders
from .live import Lines
from .polling import polled
from .watch import Watch


@contextmanager
def progress_of_runs(root: Path, *, silent: bool) -> Iterator[None]:
    """Follow the run folders in ``root``, including future ones, while the block creates them.

    The folders are followed instead of a callback, because worker processes on any machine write there.
    """
    if silent:
        yield
        return
    # Existing content of the folders is not news.
    following = {path: FollowedRun(RunFolder(path), sys.stderr, old=True) for path in find_run_folders(root)}

    def look() -> None:
        """Look for new run folders, and show the progress of all."""
        for path in find_run_folders(root):
            if path not in following:
                following[path] = FollowedRun(RunFolder(path), sys.stderr, old=False)
            following[path].look()

    with polled(look):
        yield


class FollowedRun:
    """Reports what is new in one of many runs.

    Args:
        folder: Run folder.
        file: Output file.
        old: Whether its current content has been reported already.
    """

    def __init__(self, folder: RunFolder, file: TextIO, *, old: bool) -> None:
        self._folder, self._file = folder, file
        last = {name: arm.last_round for name, arm in folder.manifest().cards.arms.items()}
        done: dict[str, int] = {}
        for record in folder.records() if old else ():
            done[record.arm] = max(record.round, done.get(record.arm, 0))
        self._position = folder.events()[1] if old else 0
        self._watch = Watch(last, done)
        self._name = f"{folder.path.name}: "
        self._lines = Lines(folder, self._watch, file, self._name)

    def look(self) -> None:
        """Print what is new."""
        events, self._position = self._folder.events(self._position)
        for event in events:
            self._watch.see(event)
        self._lines.show(events)
        for event in events:
            if isinstance(event, RunEnded):
                reason = f": {event.reason}" if event.reason else ""
                print(f"{self._name}{event.status}{reason}", file=self._file, flush=True)
