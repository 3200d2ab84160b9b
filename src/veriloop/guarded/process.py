"""A process that ends with us, a kill -9 of ours included, and with it all that it has started."""

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
"""An environment variable that all under one guard have, and nobody else: by it they are found without it."""

_PATIENCE = 10.0
"""Seconds for the guard itself to end, beside the grace of what it guards."""


class GuardedProcess:
    """A process under a guard: a small process that ends it, and all that descends from it, when we end.

    The guard ends as the process did, so :meth:`poll` and :meth:`wait` tell the process's own exit code. On
    Linux also those descendants are ended that left their parent and their session, as a daemon does;
    elsewhere those of the process's group. Between them and us there is no shared terminal: Ctrl-C reaches
    us only.

    Args:
        command: The program and its arguments; or, with ``module``, the one argument of its ``main``.
        module: A file of Python, of the standard library only, whose ``main(argument)`` is the process.
        keep: Numbers of descriptors that the process inherits, beside the standard ones.
        grace: Seconds between asking it to end (SIGTERM) and ending it; 0 does not ask.
        most: How many processes it may have beside itself, counted ten times a second; the whole is ended
            where there are more. Any number when None, and where there is no ``/proc``.
        output: Where it prints, errors too; nowhere when None.
        input: What it reads as its standard input; nothing when None.
        folder: Its working directory; ours when None.
        env: Variables to set beside those that we have.
        bare: Whether it has no other variables than these.

    Raises:
        OSError: The guard cannot be started. (A command that cannot says so in its output, exit code 127.)
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
        # A program needs nothing of our environment in the guard; a module is a fork of it, and may.
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
        """Its exit code, negative for a signal; None while it runs."""
        return self._guard.poll()

    def wait(self, seconds: float) -> int | None:
        """Its exit code; None when it still runs after ``seconds``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._guard.wait(seconds)
        return None

    def had_too_many(self) -> bool:
        """Whether it was ended because it had more processes than ``most``."""
        self._hear()
        return TOO_MANY in self._heard

    def release(self) -> None:
        """Let it end, without waiting; nothing to do where it has."""
        with contextlib.suppress(OSError):
            self._tether.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """End it and all that it has started, and wait until they have."""
        self.release()
        if self.wait(self._grace + _PATIENCE) is None:
            self._guard.kill()  # it was stopped, or waits for a process that the kernel does not let go
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
    """End all processes that were started with this environment variable: those whose guards were killed.

    Does nothing where there is no ``/proc``.
    """
    mark = f"{variable}={value}".encode()
    for place in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in place.read_bytes().split(b"\0"):
                os.kill(int(place.parent.name), signal.SIGKILL)
