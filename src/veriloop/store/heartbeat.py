"""Who writes to a run folder, and whether that process lives: the lock, and a time that it renews.

On one machine the lock answers: the kernel lets go of it when its process ends, however it ends. A
shared folder may not carry locks from machine to machine. There the time answers that the holder writes into
the lock file every `BEAT` seconds: once it is `DEAD` seconds old, the holder counts as dead. This assumes
that the clocks of both machines agree to within a minute, and that they have different names.

Looking never writes. It opens the lock file to read, and lets go at once.
"""

import contextlib
import fcntl
import os
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

LOCK = "lock"
"""The file in a run folder that its writer holds."""

BEAT = 10.0
"""Seconds between two signs of life."""

DEAD = 180.0
"""A holder on another machine that gave no sign for this many seconds is dead."""

_LONGEST = 400
"""Bytes of the file that are read."""


class Holder(NamedTuple):
    """Who holds, or held, a run folder.

    Attributes:
        name: Its process and machine, in words; empty where that is not known.
        host: Its machine; empty where that is not known.
        seen: Its last sign of life, UTC; None where it left none.
        alive: Whether it still writes to the folder, as far as can be known.
    """

    name: str
    host: str
    seen: datetime | None
    alive: bool


def holder_of(folder: Path, now: datetime | None = None) -> Holder:
    """Who writes to ``folder``, and whether it lives. Nobody does where there is no lock file.

    Args:
        folder: A run folder.
        now: The time of the question; the present when None.
    """
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Holder("", "", None, alive=False)
    except OSError:
        # One that cannot be looked at may well be held.
        return Holder("", "", None, alive=True)
    try:
        name, host, seen = _read(handle)
        return Holder(name, host, seen, _is_held(handle) or _beats_elsewhere(host, seen, now))
    finally:
        os.close(handle)


@contextlib.contextmanager
def beating(handle: int) -> Iterator[None]:
    """Keep giving signs of life in the lock file ``handle`` while the block holds the lock."""
    over = threading.Event()

    def renew() -> None:
        while not over.wait(BEAT):
            # A full disk or a lost server must not end a run here: the run meets it where it writes.
            with contextlib.suppress(OSError):
                beat(handle)

    thread = threading.Thread(target=renew, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def beat(handle: int) -> None:
    """Write who holds the lock, and the time."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    content = f"process {os.getpid()} on {socket.gethostname()}\n{now}\n".encode()
    # All lines have the same length for one holder, so a reader never sees the end of an older one.
    os.pwrite(handle, content, 0)
    os.ftruncate(handle, len(content))


def name_of(handle: int) -> str:
    """Who wrote the lock file: process and machine."""
    return _read(handle)[0]


def _read(handle: int) -> tuple[str, str, datetime | None]:
    lines = os.pread(handle, _LONGEST, 0).decode(errors="replace").splitlines()
    name = lines[0].strip() if lines else ""
    seen = None
    with contextlib.suppress(ValueError, IndexError):
        seen = datetime.fromisoformat(lines[1])
    if seen is not None and seen.tzinfo is None:
        seen = seen.replace(tzinfo=UTC)
    return name, name.partition(" on ")[2], seen


def _is_held(handle: int) -> bool:
    try:
        # Shared, so that many may look at a time; and `RunFolder.lock` tries again for a moment.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks: the time has to answer.
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return False


def _beats_elsewhere(host: str, seen: datetime | None, now: datetime | None) -> bool:
    if seen is None or host == socket.gethostname():
        return False
    return ((now or datetime.now(UTC)) - seen).total_seconds() < DEAD
