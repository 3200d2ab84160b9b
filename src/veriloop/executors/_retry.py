"""What was lost with a dead worker process is computed again."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Any, Protocol

from ..errors import VeriloopError
from ..events import WorkerLost
from .base import Item

TRIES = 3
"""How often an item is tried again. Not without end: it may itself be what kills."""

_listen: ContextVar[Callable[[WorkerLost], None] | None] = ContextVar("_listen", default=None)


@contextmanager
def told_of_lost_workers(listen: Callable[[WorkerLost], None]) -> Iterator[None]:
    """Tell ``listen`` of each worker that is lost inside the block, in this thread; without one, the log."""
    token = _listen.set(listen)
    try:
        yield
    finally:
        _listen.reset(token)


class Workers(Protocol):
    """Who computes items, each in a process that may die."""

    def submit(self, item: Any) -> Future[Any]:
        """Begin to compute ``item``."""
        ...

    def end(self) -> None:
        """End them all in the middle of their work, and wait until they have."""
        ...


def recomputing(
    start: Callable[[], Workers], items: Iterable[Item], ahead: int, died: type[Exception]
) -> Iterator[Any]:
    """The results of ``items``, in their order, though workers may die.

    When one does, all that was under way is lost with the others. Items whose results have been given out
    are not computed again. The first of the rest is tried again three times, the last time with nothing
    beside it: what was short of memory for two may have enough for one.

    Args:
        start: Finds workers that are alive.
        items: What to compute.
        ahead: How many items are under way at a time.
        died: What their futures raise when a worker has died.

    Raises:
        VeriloopError: An item's workers died four times.
    """
    source, taken, lost = iter(items), deque[Item](), 0
    while True:
        workers, running = start(), deque[Future[Any]]()
        try:
            while True:
                most = 1 if lost == TRIES else ahead
                taken.extend(islice(source, max(0, most - len(taken))))
                running.extend(workers.submit(item) for item in islice(taken, len(running), most))
                if not running:
                    return
                result = running[0].result()
                running.popleft()
                taken.popleft()
                lost = 0
                yield result
        except died as e:
            workers.end()
            lost += 1
            if lost > TRIES:
                raise VeriloopError(
                    f"a worker process died, and so did those that tried its work again {TRIES} times, "
                    "the last of them alone",
                    fix="the system ends processes when memory is short: watch the memory (dmesg tells), and "
                    "take fewer workers or smaller chunks",
                ) from e
            tell_lost(WorkerLost(what="a worker process died in the middle of its work", try_=lost))
        finally:
            # After an error, an interruption or an early end nobody wants what is still under way.
            if not all(future.done() for future in running):
                workers.end()


def tell_lost(lost: WorkerLost) -> None:
    """Report it to the listener, or to the log."""
    if listen := _listen.get():
        listen(lost)
    else:
        logging.getLogger("veriloop").warning("%s; trying again (%d of %d)", lost.what, lost.try_, TRIES)
