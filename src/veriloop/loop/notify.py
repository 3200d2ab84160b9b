"""Call a user's command when a run ends or waits for people."""

import os
import subprocess
from collections.abc import Callable, Sequence

from ..events import Event, RunEnded, TrackerFailed
from ..store.folder import RunFolder

PATIENCE = 60.0
"""Time limit of the command in seconds."""


class Notifier:
    """Listens to a run's events, and calls a command after the run has released its folder.

    Args:
        command: Program and arguments, run without a shell. Empty for none.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command, self._ended = list(command), None

    def hear(self, event: Event) -> None:
        """Remember how the run ended."""
        if isinstance(event, RunEnded):
            self._ended = event

    def call(self, folder: RunFolder, tell: Callable[[Event], None]) -> None:
        """Call the command. If it fails, ``tell`` gets an event and the run is unaffected."""
        if not self._command or self._ended is None:
            return
        about = {
            "VERILOOP_RUN": str(folder.path.absolute()),
            "VERILOOP_STATUS": self._ended.status,
            "VERILOOP_REASON": self._ended.reason or "",
        }
        try:
            done = subprocess.run(
                self._command, env={**os.environ, **about}, timeout=PATIENCE, check=False,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )  # fmt: skip
        except (OSError, ValueError, subprocess.TimeoutExpired) as e:
            why = f"{self._command[0]}: {getattr(e, 'strerror', None) or e}"
        else:
            if done.returncode == 0:
                return
            said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
            why = f"{self._command[0]} ended with code {done.returncode}{': ' + said[0] if said else ''}"
        tell(TrackerFailed(tracker="notify", reason=why))
