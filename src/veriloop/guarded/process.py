"""A process that ends with this one, even after kill -9, together with everything it has started."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from ._guard import ENDED, TOO_MANY

GUARD = Path(__file__).with_name("_guard.py")

MARK = "VERILOOP_GUARDED"
"""Environment variable shared by all processes under one guard, to find them if the guard is gone."""

_PATIENCE = 10.0
"""Seconds for the guard itself to end, in addition to the grace period of its process."""


class GuardedProcess:
    """A process under a guard: a small process that ends it and all its descendants when this one ends.

    The guard ends as the process did, so :meth:`poll` and :meth:`wait` return the process's own exit code. On
    Linux, descendants that left their parent and session, as a daemon does, are ended as well; elsewhere only
    those in the process's group. The process does not share this terminal: Ctrl-C does not reach it.

    Args:
        command: Program and arguments; with ``module``, the one argument of its ``main``.
        module: Path of a Python file that uses only the standard library, whose ``main(argument)`` is the
            process.
        keep: File descriptors that the process inherits, besides the standard ones.
        grace: Seconds between asking it to end (SIGTERM) and killing it; 0 does not ask.
        most: Largest number of further processes, counted ten times a second; if there are more, all are
            ended. No limit when None, and without ``/proc``.
        output: Target of its output and errors; discarded when None.
        input: Standard input; empty when None.
        folder: Working directory; that of this process when None.
        env: Environment variables to set, besides the current ones.
        bare: Whether it gets only these variables.

    Raises:
        OSError: The guard cannot be started. (A command that cannot be started ends with exit code 127.)
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        module: Path | None = None,
        keep: Sequence[int] = (),
        grace: float = 0.0,
        most: int | None = None,
        output: IO[bytes] | None = None,
        input: IO[bytes] | None = None,
        folder: Path | None = None,
        env: Mapping[str, str] | None = None,
        bare: bool = False,
    ) -> None:
        self._grace = grace
        self._mark, self._heard = os.urandom(8).hex(), b""
        self._tether, theirs = socket.socketpair()
        numbers = [str(theirs.fileno()), str(os.getpid()), str(grace), str(-1 if most is None else most)]
        # A program's guard needs nothing of the environment; a module's process is a fork of the guard and
        # may.
        python = [sys.executable, str(GUARD)] if module else [sys.executable, "-I", "-S", str(GUARD)]
        try:
            self._guard = subprocess.Popen(
                [*python, *numbers, str(module) if module else "--", *command],
                pass_fds=(theirs.fileno(), *keep),
                stdin=input or subprocess.DEVNULL,
                stdout=output or subprocess.DEVNULL,
                stderr=output or subprocess.DEVNULL,
                start_new_session=True,
                cwd=folder,
                env={**({} if bare else os.environ), **(env or {}), MARK: self._mark},
            )
        except OSError:
            self._tether.close()
            raise
        finally:
            theirs.close()

    def poll(self) -> int | None:
        """Return its exit code, negative for a signal; None while it runs."""
        return self._guard.poll()

    def wait(self, seconds: float) -> int | None:
        """Return its exit code; None if it still runs after ``seconds``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._guard.wait(seconds)
        return None

    def had_too_many(self) -> bool:
        """Whether it was ended because it had more processes than ``most``."""
        self._hear()
        return TOO_MANY in self._heard

    def release(self) -> None:
        """Ask it to end without waiting; does nothing if it has ended."""
        with contextlib.suppress(OSError):
            self._tether.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """End it and everything it has started, and wait until all have ended."""
        self.release()
        if self.wait(self._grace + _PATIENCE) is None:
            self._guard.kill()  # stopped, or waiting for a process stuck in the kernel
            self._guard.wait()
        self._hear()
        self._tether.close()
        if ENDED not in self._heard:
            end_marked(MARK, self._mark)

    def _hear(self) -> None:
        if self._tether.fileno() < 0:
            return
        self._tether.setblocking(False)
        with contextlib.suppress(OSError):
            self._heard += self._tether.recv(64)


def end_marked(variable: str, value: str) -> None:
    """End all processes started with this environment variable, for when their guards were killed.

    Does nothing without ``/proc``.
    """
    mark = f"{variable}={value}".encode()
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in place.read_bytes().split(b"\0"):
                os.kill(int(place.parent.name), signal.SIGKILL)
