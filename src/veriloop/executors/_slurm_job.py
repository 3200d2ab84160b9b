"""A Slurm job: it computes its items while the run that needs them is alive."""

import os
import pickle
import signal
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

_MISSED = 15
"""Missed heartbeats before a job ends; many, because nodes may see a shared file with a minute's delay."""


class Order(NamedTuple):
    """What all jobs of a call share.

    Attributes:
        sent: File with the data that their items share.
        alive: File that the run touches while it is alive.
        beat: Seconds between two touches.
    """

    sent: Path
    alive: Path
    beat: float


class Raised(NamedTuple):
    """An error raised by the function on an item; later items are not computed."""

    error: Exception


def compute(order: Order, items: list[Any]) -> list[bytes]:
    """Return the results of ``items``, each pickled; the first error, as `Raised`, ends the list."""
    import cloudpickle

    # Without submitit's handlers, which would raise in the middle of the function at the time limit: a job
    # that ends early, for any reason, is lost and retried from its beginning.
    for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_without, args=(order.alive, order.beat), daemon=True).start()
    results: list[bytes] = []
    try:
        function, shared = pickle.loads(order.sent.read_bytes())
        for item in items:
            results.append(cloudpickle.dumps(function(shared, item)))
    except Exception as e:
        e.add_note(traceback.format_exc())
        results.append(cloudpickle.dumps(Raised(e)))
    return results


def _end_without(alive: Path, beat: float) -> None:
    """End this job when the run has ended, or has given no heartbeat for long."""
    seen, since = None, time.monotonic()
    while time.monotonic() - since < _MISSED * beat:
        time.sleep(beat)
        try:
            now = alive.stat().st_mtime_ns
        except FileNotFoundError:
            break
        except OSError:
            continue
        if now != seen:
            seen, since = now, time.monotonic()
    os._exit(1)
