"""Processes that a test started, with all that they started: found by a mark in their environment."""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from ..patience import until

MARK = "VERILOOP_TEST_MARK"


def _hear_interrupts() -> None:
    # A shell's background jobs ignore SIGINT, and so would what they start: these tests may be one.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Family:
    """Commands that run in a folder, and everybody who descends from them, in whatever session."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._mark = folder, uuid.uuid4().hex
        self._bin = folder / "bin"
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start it in a separate session, like the foreground of a terminal."""
        path = f"{self._bin}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, MARK: self._mark, "PATH": path, "PYTHONPATH": str(self.folder)}
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=_hear_interrupts,
        )
        self.started.append(process)
        return process

    def run(self, config: str, out: str) -> subprocess.Popen[str]:
        """Start a run of veriloop."""
        (self.folder / "config.yaml").write_text(config)
        veriloop = Path(sys.executable).with_name("veriloop")
        return self.start(veriloop, "run", "config.yaml", "--out", out, "--plain")

    def install(self, name: str, script: str) -> None:
        """Put a program on the path."""
        self._bin.mkdir(exist_ok=True)
        (self._bin / name).write_text(f"#!{sys.executable}\n{script}")
        (self._bin / name).chmod(0o755)

    def members(self, word: str = "") -> list[psutil.Process]:
        """Who lives, with ``word`` in the command line."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                lives = process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == self._mark
                if lives and word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def wait(self, what: Callable[[], object]) -> None:
        """Wait until ``what`` is so, while the last of the commands runs."""
        until(what, self.started[-1])

    def wait_for_the_end_of_all(self) -> None:
        """Wait until nobody is left."""
        until(lambda: not self.members())


@pytest.fixture
def family(tmp_path: Path) -> Iterator[Family]:
    family = Family(tmp_path)
    yield family
    for process in family.members():
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGKILL)
    for process in family.started:
        with process:  # of a test that failed: wait, and close the pipes
            pass
