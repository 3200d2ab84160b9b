"""Runs resumed from the page, each in a separate process, as with ``veriloop resume``."""

import signal
import subprocess
import sys
import tempfile
import threading
from typing import IO

from ..errors import RunFolderError
from ..store.folder import RunFolder


class Resuming:
    """Processes by the path of their run. Safe for threads."""

    def __init__(self) -> None:
        self._running: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        self._problems: dict[str, str] = {}
        self._lock = threading.Lock()

    def start(self, folder: RunFolder) -> None:
        """Resume a run.

        Raises:
            RunFolderError: It is finished, or already running.
        """
        name, status = str(folder.path), folder.manifest().status
        self._reap()
        with self._lock:
            if status == "finished" or name in self._running:
                why = "it is running already" if name in self._running else status
                raise RunFolderError(f"the run in {name} cannot be resumed", got=why)
            self._problems.pop(name, None)
            # Not a pipe, because nobody reads its progress output, and a full pipe would stop it.
            said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
            command = [sys.executable, "-m", "veriloop", "resume", name, "--plain"]
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said
            )
            self._running[name] = process, said

    def problem(self, folder: RunFolder) -> str:
        """Return why the last resume from the page failed; empty if it did not."""
        self._reap()
        return self._problems.get(str(folder.path), "")

    def is_under_way(self, folder: RunFolder) -> bool:
        """Whether a process started here is running the run."""
        self._reap()
        return str(folder.path) in self._running

    def _reap(self) -> None:
        with self._lock:
            for name, (process, said) in list(self._running.items()):
                if process.poll() is None:
                    continue
                del self._running[name]
                with said:
                    said.seek(0)
                    lines = said.read().decode(errors="replace").strip().splitlines()
                if process.returncode:
                    last = (lines or [f"exit code {process.returncode}"])[-1]
                    self._problems[name] = last.removeprefix("error: ")

    def close(self) -> None:
        """Interrupt the processes and wait for them; the finished rounds of their runs are safe."""
        with self._lock:
            for process, _ in self._running.values():
                process.send_signal(signal.SIGINT)
            for process, said in self._running.values():
                process.wait()
                said.close()
            self._running.clear()
