"""Retry of work that was lost with a dead worker process."""

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
"""Number of retries per item. Limited, because the item itself may kill its worker."""

_listen: ContextVar[Callable[[WorkerLost], None] | None] = ContextVar("_listen", default=None)


@contextmanager
def told_of_lost_workers(listen: Callable[[WorkerLost], None]) -> Iterator[None]:
    """Call ``listen`` for each worker lost inside the block, in this thread; without it, the log is used."""
    token = _listen.set(listen)
    try:
        yield
    finally:
        _listen.reset(token)


class Workers(Protocol):
    """Workers that compute items, each in a process that may die."""

    def submit(self, item: Any) -> Future[Any]:
        """Start computing ``item``."""
        ...

    def end(self) -> None:
        """Stop all of them in the middle of their work, and wait until they have ended."""
        ...


def recomputing(
    start: Callable[[], Workers], items: Iterable[Item], ahead: int, died: type[Exception]
) -> Iterator[Any]:
    """Yield the results of ``items`` in order, even if workers die.

    When a worker dies, everything in progress is lost. Items whose results have been returned are not
    computed again. The first of the rest is retried three times, the last time alone: if memory was short for
    two, it may be enough for one.

    Args:
        start: Returns live workers.
        items: Items to compute.
        ahead: Number of items in progress at a time.
        died: Exception raised by their futures when a worker has died.

    Raises:
        VeriloopError: The workers of an item died four times.
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
                    f"a worker process died, and so did {TRIES} retries of its work, "
                    "the last one running alone",
                    fix="processes are killed when memory is short: check memory use (see dmesg), and "
                    "use fewer workers or smaller chunks",
                ) from e
            tell_lost(WorkerLost(what="a worker process died in the middle of its work", try_=lost))
        finally:
            # After an error, an interrupt or an early end, unfinished work is not needed.
            if not all(future.done() for future in running):
                workers.end()


def tell_lost(lost: WorkerLost) -> None:
    """Report a lost worker to the listener, or to the log."""
    if listen := _listen.get():
        listen(lost)
    else:
        logging.getLogger("veriloop").warning("%s; trying again (%d of %d)", lost.what, lost.try_, TRIES)
