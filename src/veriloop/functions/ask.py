"""Call a function on rows in other processes, with a time limit per call, and no process left behind."""

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
"""Number of workers that may be killed while importing the function before it is an error."""

PIECES = 8
"""Number of pieces that a failing call is split into, until the row that fails is found."""


class Answered(NamedTuple):
    """A function's answer for each row, in order, and the numbers that it logged, by name."""

    answers: list[Answer]
    logged: dict[str, list[float]]


def answers(order: Order, rows: Rows, workers: int) -> Answered:
    """Return the function's answer for each row.

    A function that takes lists receives many rows per call. If it fails as a whole, the rows are sent again
    in smaller pieces, so that one row does not cost the answers of others. A worker that takes too long or
    dies is replaced. Rows whose worker was ended by SIGKILL are tried once more, since the system kills large
    processes, not the ones at fault.

    Args:
        order: Function and its limits.
        rows: Rows to pass.
        workers: Largest number of processes.

    Raises:
        ConfigError: The function cannot be imported, or its signature fits no form.
        VeriloopError: The system does not allow starting a process.
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
    """The rows still to be processed, and the answers so far."""

    def __init__(self, order: Order, rows: Rows) -> None:
        self._order, self._n = order, len(rows)
        self._waiting: deque[range] | None = None  # the function's form decides how many rows go into a call
        self._asked_again, self._killed_starts = set[range](), 0
        self._so_far = RowsSoFar(self._n)
        self.found: list[Answer] = [(NONE, ABSTAIN, "")] * self._n
        self.logged: dict[int, dict[str, list[float]]] = {}

    @property
    def left(self) -> bool:
        """Whether any rows are left."""
        return self._waiting is None or bool(self._waiting)

    def next(self, known: Known) -> range | None:
        """Return the next rows to process."""
        if self._waiting is None:
            size = self._order.batch if known.form == TRL else 1
            self._waiting = deque(_split(range(self._n), size))
        return self._waiting.popleft() if self._waiting else None

    def take(self, worker: Worker) -> None:
        """Record a worker's result, or retry its rows."""
        outcome, rows = worker.outcome(), worker.rows
        if rows is None:
            self._killed_starts += worker.was_killed
            if self._killed_starts > KILLED_STARTS:
                raise worker.no_import("its process was ended by SIGKILL repeatedly")
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
        """Return everything that was logged, in the order of the rows."""
        together: dict[str, list[float]] = {}
        for _, logged in sorted(self.logged.items()):
            for name, values in logged.items():
                together.setdefault(name, []).extend(values)
        return together


def _split(rows: range, size: int) -> Iterator[range]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def look(order: Order, columns: Sequence[str]) -> Known:
    """Find out how the function is called on samples with ``columns``, in a process that ends at once.

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
    """Yield a list of workers that are all ended with the block, in parallel."""
    crew: list[Worker] = []
    try:
        yield crew
    finally:
        for worker in crew:
            worker.release()
        for worker in crew:
            worker.end()


def _settled(crew: Sequence[Worker], selector: BaseSelector) -> list[Worker]:
    """Wait for news or a deadline; return the workers that answered, died, or ran out of time."""
    left = min(worker.deadline for worker in crew) - time.monotonic()
    news = {key.data for key, _ in selector.select(max(left, 0))}
    now = time.monotonic()
    return [w for w in crew if (w in news or w.deadline <= now) and w.has_settled()]
