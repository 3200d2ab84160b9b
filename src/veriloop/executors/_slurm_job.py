"""What a Slurm job does: its items, as long as the run lives that wants them."""

import os
import pickle
import signal
import threading
import time
import traceback
from pathlib import Path
from typing import Any, NamedTuple

_MISSED = 15
"""So many, because nodes may see a shared file as it was a minute ago."""


class Order(NamedTuple):
    """What all jobs of a call are given.

    Attributes:
        sent: The file of what their items have in common.
        alive: The file that the run touches as long as it lives.
        beat: How often it does, in seconds.
    """

    sent: Path
    alive: Path
    beat: float


class Raised(NamedTuple):
    """What the function raised on an item; the items after it are not computed."""

    error: Exception


def compute(order: Order, items: list[Any]) -> list[bytes]:
    """The results of ``items``, each pickled; the first error, as `Raised`, takes the place of the rest."""
    import cloudpickle

    # Not submitit's handlers, which would raise in the middle of the function when the time is up: a job that
    # is ended is lost, whatever ended it, and tried again from its beginning.
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
    """End this job when the run is over, or has given no sign of life for long."""
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
