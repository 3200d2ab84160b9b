"""How long tests wait: an hour, since a slow machine is no fault, or until what they wait for cannot come."""

import subprocess
import time
from collections.abc import Callable
from typing import Any

HOUR = 3600.0
"""Seconds: the guard against a hang, wherever a library wants one. No test asserts a shorter time."""

NEVER = 10 * HOUR
"""So long sleeps what a test expects to be ended: by itself, nobody would see it end."""


def until(
    what: Callable[[], object],
    process: subprocess.Popen[Any] | None = None,
    pause: Callable[[], object] = lambda: time.sleep(0.02),
) -> None:
    """Wait until ``what()`` is true; it cannot become so after the end of ``process``.

    Raises:
        AssertionError: The process has ended, or an hour has gone by.
    """
    limit = time.monotonic() + HOUR
    while not what():
        if process is not None and process.poll() is not None:
            assert what(), f"the process has ended with {process.returncode}"
            return
        assert time.monotonic() < limit, "waited for an hour"
        pause()
