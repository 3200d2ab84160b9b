"""Rows to a function in other processes, with a time limit on each, and nobody left behind."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from selectors import BaseSelector, DefaultSelector

from ..advance import Rows as RowsSoFar
from ._row_worker import ABSTAIN, NONE, Answer
from ._rows import Rows
from ._worker import Order, Worker

KILLED_STARTS = 3
"""How many workers may be killed while they import the function, before that is an error."""


def answers(order: Order, rows: Rows, workers: int) -> list[Answer]:
    """What the function says of each row, in their order.

    A worker that takes too long, or has died, is replaced. A row whose worker was ended by SIGKILL is asked
    again, once: it may have been anybody, and the system kills who is large, not who is at fault.

    Args:
        order: The function and its limits.
        rows: What it is asked about.
        workers: How many processes at most.

    Raises:
        ConfigError: The function cannot be imported.
        VeriloopError: The system does not let us start a process.
    """
    found: list[Answer] = [(NONE, ABSTAIN, "")] * len(rows)
    waiting, asked_again, killed_starts = deque(range(len(rows))), set[int](), 0
    so_far = RowsSoFar(len(rows))
    with DefaultSelector() as selector, _crew() as crew:
        for _ in range(min(workers, len(rows))):
            crew.append(Worker(order, selector))
        while crew:
            for worker in _settled(crew, selector):
                answer = worker.answer()
                if worker.was_killed and worker.row < 0:
                    killed_starts += 1
                    if killed_starts > KILLED_STARTS:
                        raise worker.no_import("its process was ended by SIGKILL again and again")
                elif worker.was_killed and worker.row not in asked_again:
                    asked_again.add(worker.row)
                    waiting.appendleft(worker.row)
                elif answer is not None:
                    found[worker.row] = answer
                    so_far.add(1)
                if worker.alive and waiting:
                    row = waiting.popleft()
                    worker.ask(row, rows.line(row))
                    continue
                crew.remove(worker)
                worker.end()
                if waiting:
                    crew.append(Worker(order, selector))
    return found


def check_import(order: Order) -> None:
    """Import the function in a process that ends at once.

    Raises:
        ConfigError: It cannot be imported.
    """
    with DefaultSelector() as selector, _crew() as crew:
        worker = Worker(order, selector)
        crew.append(worker)
        while not _settled(crew, selector):
            pass
        worker.answer()
        if not worker.alive:
            raise worker.no_import("its process was ended by SIGKILL")


@contextmanager
def _crew() -> Iterator[list[Worker]]:
    """Workers who are all ended with the block; together, so that nobody waits for one after the other."""
    crew: list[Worker] = []
    try:
        yield crew
    finally:
        for worker in crew:
            worker.release()
        for worker in crew:
            worker.end()


def _settled(crew: Sequence[Worker], selector: BaseSelector) -> list[Worker]:
    """Wait for news or a deadline; those who have answered, died, or had their time."""
    left = min(worker.deadline for worker in crew) - time.monotonic()
    news = {key.data for key, _ in selector.select(max(left, 0))}
    now = time.monotonic()
    return [w for w in crew if (w in news or w.deadline <= now) and w.has_settled()]
