"""Run several tasks at once on the cores of this process, each with the same number of threads.

An operation with two threads waits for both at its end, thousands of times per second; if other programs also
use a core, this took up to ten times as long. Independent tasks do not wait for each other. The result of a
task does not depend on how many run at once.
"""

import ctypes
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
    """Return how many tasks this process runs at once: its cores divided by the threads per task.

    ``OMP_NUM_THREADS`` limits the number of cores, as for pool workers. A GPU runs one task.
    """
    if device().type != "cpu":
        return 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    cores = int(asked) if asked.isdecimal() and int(asked) else len(os.sched_getaffinity(0))
    return max(1, cores // torch.get_num_threads())


def in_lanes(function: Callable[[Item], Result], items: Iterable[Item], most: int = 64) -> Iterator[Result]:
    """Yield ``function`` of each item, in order, computing several at once but at most ``most``.

    Results wait for those before them, so there are never more results than lanes.
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


def free_unused() -> None:
    """Return memory to the system that the C library holds for allocations to come.

    It does so by itself for the main thread only. After training, the threads of lanes left half of the peak
    unused, and still in memory. Without glibc this does nothing.
    """
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)
