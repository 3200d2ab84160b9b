"""What was lost with a dead worker process is computed again."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import islice
from typing import Generic

from ..errors import VeriloopError
from ..events import WorkerLost
from .base import Item, Result

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


def recomputing(
    start: Callable[[Iterable[Item]], Iterator[Result]],
    items: Iterable[Item],
    died: type[Exception],
    clean_up: Callable[[], None],
) -> Iterator[Result]:
    """The results of ``start(items)``, in their order, though its workers may die.

    When one does, all that was under way is lost with the pool. Items whose results have been given out are
    not computed again. The first of the others is tried again three times, the last time with nothing beside
    it: what was short of memory for two may have enough for one.

    Args:
        start: Begins to compute items on workers that are alive, and gives the results in order. It may take
            items ahead, in threads of its own.
        items: What to compute.
        died: What that raises when one of its workers has died.
        clean_up: Called when workers were given up: after a death, an error, or an interruption.

    Raises:
        VeriloopError: An item's workers died four times.
    """
    source, lost = _Source(items), 0
    while True:
        alone = lost == TRIES
        taken, is_whole = _Taken(source, alone), False
        try:
            for result in start(taken):
                source.waiting.popleft()
                yield result
                lost = 0
        except died as e:
            lost += 1
            if lost > TRIES:
                raise VeriloopError(
                    f"a worker process died, and so did those that tried its work again {TRIES} times, "
                    "the last of them alone",
                    fix="the system ends processes when memory is short: watch the memory (dmesg tells), and "
                    "take fewer workers or smaller chunks",
                ) from e
            _tell(WorkerLost(what="a worker process died in the middle of its work", try_=lost))
        else:
            is_whole = True
            if not alone:
                return
        finally:
            taken.is_closed = True
            if not is_whole:
                clean_up()


class _Source(Generic[Item]):
    """Items, and those that were taken and have no result yet. Executors take them in their own threads."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items, self.waiting, self.lock = iter(items), deque[Item](), threading.Lock()


class _Taken(Iterator[Item]):
    """What one pool takes: first what was lost, then more, until it is closed."""

    def __init__(self, source: _Source[Item], alone: bool) -> None:
        self._source, self._alone, self.is_closed = source, alone, False
        self._again = deque(islice(source.waiting, 1 if alone else None))

    def __next__(self) -> Item:
        with self._source.lock:
            if self.is_closed:
                raise StopIteration
            if self._again:
                return self._again.popleft()
            if self._alone:
                raise StopIteration
            item = next(self._source.items)
            self._source.waiting.append(item)
            return item


def _tell(lost: WorkerLost) -> None:
    if listen := _listen.get():
        listen(lost)
    else:
        logging.getLogger("veriloop").warning("%s; trying again (%d of %d)", lost.what, lost.try_, TRIES)
