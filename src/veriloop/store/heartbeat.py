"""Who writes to a run folder, and whether that process is alive: a lock, and a time that it renews.

On one machine the lock is enough: the kernel releases it when its process ends, in any way. A shared folder
may not carry locks between machines. There, the holder writes the time into the lock file every `BEAT`
seconds, and counts as dead once it is `DEAD` seconds old. This assumes that the clocks of the machines agree
to within a minute, and that the machines have different names.

Checking never writes. It opens the lock file for reading and releases it at once.
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
"""Name of the lock file in a run folder."""

BEAT = 10.0
"""Seconds between two heartbeats."""

DEAD = 180.0
"""Seconds without a heartbeat after which a holder on another machine counts as dead."""

_LONGEST = 400
"""Number of bytes of the file that are read."""


class Holder(NamedTuple):
    """The process that holds, or held, a run folder.

    Attributes:
        name: Process and machine, in words; empty if unknown.
        host: Name of the machine; empty if unknown.
        seen: Time of the last heartbeat, UTC; None if there is none.
        alive: Whether it still writes to the folder, as far as can be known.
    """

    name: str
    host: str
    seen: datetime | None
    alive: bool


def holder_of(folder: Path, now: datetime | None = None) -> Holder:
    """Return who writes to ``folder``, and whether that process is alive. Not alive without a lock file.

    Args:
        folder: Run folder.
        now: Time of the check; the current time when None.
    """
    try:
        handle = os.open(folder / LOCK, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return Holder("", "", None, alive=False)
    except OSError:
        # A lock that cannot be checked may well be held.
        return Holder("", "", None, alive=True)
    try:
        name, host, seen = _read(handle)
        return Holder(name, host, seen, _is_held(handle) or _beats_elsewhere(host, seen, now))
    finally:
        os.close(handle)


@contextlib.contextmanager
def beating(handle: int) -> Iterator[None]:
    """Write heartbeats to the lock file ``handle`` while the block holds the lock."""
    over = threading.Event()

    def renew() -> None:
        """Write a heartbeat every `BEAT` seconds until the block ends."""
        while not over.wait(BEAT):
            # A full disk or a lost server must not end a run here; the run itself will fail when it writes.
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
    # All lines of one holder have the same length, so a reader never sees the end of an older one.
    os.pwrite(handle, content, 0)
    os.ftruncate(handle, len(content))


def name_of(handle: int) -> str:
    """Return who wrote the lock file: process and machine."""
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
        # A shared lock, so that many can check at a time; `RunFolder.lock` retries for a moment.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks: use the time instead.
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return False


def _beats_elsewhere(host: str, seen: datetime | None, now: datetime | None) -> bool:
    if seen is None or host == socket.gethostname():
        return False
    return ((now or datetime.now(UTC)) - seen).total_seconds() < DEAD
