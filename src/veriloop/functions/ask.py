"""Rows to a function in other processes, with a time limit on each call, and nobody left behind."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from selectors import BaseSelector, DefaultSelector
from typing import NamedTuple

from ..advance import Rows as RowsSoFar
from ._row_worker.forms import TRL
from ._row_worker.said import ABSTAIN, NONE, Answer
from ._worker import Known, Order, Worker
from .rows import Rows

KILLED_STARTS = 3
"""How many workers may be killed while they import the function, before that is an error."""

PIECES = 8
"""Into how many pieces the rows of a call that fails are split, until the one is found that makes it fail."""


class Answered(NamedTuple):
    """What a function says of each row, in their order, and the numbers that it logged, by name."""

    answers: list[Answer]
    logged: dict[str, list[float]]


def answers(order: Order, rows: Rows, workers: int) -> Answered:
    """What the function says of each row.

    A function that takes lists gets many rows in a call. When it fails as a whole, the rows are asked about
    in smaller pieces, so that one row cannot take the answers of the others. A worker that takes too long or
    has died is replaced. Rows whose worker was ended by SIGKILL are asked about again, once: it may have been
    anybody, and the system kills who is large, not who is at fault.

    Args:
        order: The function and its limits.
        rows: What it is asked about.
        workers: How many processes at most.

    Raises:
        ConfigError: The function cannot be imported, or its signature fits no form.
        VeriloopError: The system does not let us start a process.
    """
    work = _Work(order, rows)
    with DefaultSelector() as selector, _crew() as crew:
        for _ in range(min(workers, len(rows))):
            crew.append(Worker(order, selector, rows.names))
        while crew:
            for worker in _settled(crew, selector):
                work.take(worker)
                if worker.alive and worker.known and (some := work.next(worker.known)):
                    worker.ask(some, rows.line(some))
                    continue
                crew.remove(worker)
                worker.end()
                if work.left:
                    crew.append(Worker(order, selector, rows.names))
    return Answered(work.found, work.all_logged())


class _Work:
    """What is to be asked, and what was said."""

    def __init__(self, order: Order, rows: Rows) -> None:
        self._order, self._n = order, len(rows)
        self._waiting: deque[range] | None = None  # how many rows go into a call, the function's form says
        self._asked_again, self._killed_starts = set[range](), 0
        self._so_far = RowsSoFar(self._n)
        self.found: list[Answer] = [(NONE, ABSTAIN, "")] * self._n
        self.logged: dict[int, dict[str, list[float]]] = {}

    @property
    def left(self) -> bool:
        """Whether anything is still to be asked."""
        return self._waiting is None or bool(self._waiting)

    def next(self, known: Known) -> range | None:
        """The next rows to ask about."""
        if self._waiting is None:
            size = self._order.batch if known.form == TRL else 1
            self._waiting = deque(_split(range(self._n), size))
        return self._waiting.popleft() if self._waiting else None

    def take(self, worker: Worker) -> None:
        """Note what a worker has said, or ask again."""
        outcome, rows = worker.outcome(), worker.rows
        if rows is None:
            self._killed_starts += worker.was_killed
            if self._killed_starts > KILLED_STARTS:
                raise worker.no_import("its process was ended by SIGKILL again and again")
            return
        assert outcome is not None
        assert self._waiting is not None
        if worker.was_killed and rows not in self._asked_again:
            self._asked_again.add(rows)
            self._waiting.appendleft(rows)
        elif outcome.failure and len(rows) > 1:
            self._waiting.extendleft(reversed(list(_split(rows, -(-len(rows) // PIECES)))))
        elif outcome.failure:
            self.found[rows.start] = (NONE, ABSTAIN, outcome.failure)
            self._so_far.add(1)
        else:
            self.found[rows.start : rows.stop] = outcome.answers
            self.logged[rows.start] = dict(outcome.logged)
            self._so_far.add(len(rows))

    def all_logged(self) -> dict[str, list[float]]:
        """All that was logged, in the order of the rows."""
        together: dict[str, list[float]] = {}
        for _, logged in sorted(self.logged.items()):
            for name, values in logged.items():
                together.setdefault(name, []).extend(values)
        return together


def _split(rows: range, size: int) -> Iterator[range]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def look(order: Order, columns: Sequence[str]) -> Known:
    """How the function is called on samples with ``columns``, found out in a process that ends at once.

    Raises:
        ConfigError: It cannot be imported, or its signature fits no form.
    """
    with DefaultSelector() as selector, _crew() as crew:
        worker = Worker(order, selector, columns)
        crew.append(worker)
        while not _settled(crew, selector):
            pass
        worker.outcome()
        if worker.known is None:
            raise worker.no_import("its process was ended by SIGKILL")
        return worker.known


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
