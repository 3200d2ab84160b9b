"""Several pieces of work at once on the cores of this process, each with the same number of threads.

One operation with two threads waits for both at its end, some thousand times a second; where other programs
use a core too, that cost up to ten times the time. Pieces that need nothing of each other wait for nobody.
What a piece gives does not depend on how many are under way.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import torch

from ...networks import device

Item = TypeVar("Item")
Result = TypeVar("Result")


def lanes() -> int:
    """How many pieces this process works on at once: its cores by the threads of each piece.

    ``OMP_NUM_THREADS`` says how many cores are its own, as it does for workers of a pool. A GPU takes one.
    """
    if device().type != "cpu":
        return 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(asked) if asked.isdecimal() and int(asked) else len(os.sched_getaffinity(0))
    return max(1, cores // torch.get_num_threads())


def in_lanes(function: Callable[[Item], Result], items: Iterable[Item], most: int = 64) -> Iterator[Result]:
    """``function`` of each item, in the order of the items, several at once, and no more than ``most``.

    Results wait for those before them, so there are never more of them than lanes.
    """
    at_once = min(lanes(), most)
    if at_once < 2:
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(at_once, "lane", torch.set_num_threads, (torch.get_num_threads(),))
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            if len(under_way) == at_once:
                yield under_way.popleft().result()
            under_way.append(pool.submit(copy_context().run, function, item))
        while under_way:
            yield under_way.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
