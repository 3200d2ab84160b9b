"""Rows to a function in other processes, with a time limit on each, and nobody left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ._row_worker import ABSTAIN, NONE, Answer

SCRIPT = Path(__file__).with_name("_row_worker.py")

IMPORT_LIMIT = 120.0
"""Seconds that importing the function's module may take."""


def answers(name: str, rows: Sequence[dict[str, Any]], timeout: float, workers: int) -> list[Answer]:
    """What the function says of each row, in their order.

    Args:
        name: Of the function, ``package.module:name``.
        rows: Of values that the standard library alone can pickle.
        timeout: Seconds for a row; a worker that takes longer is killed and replaced.
        workers: How many processes at most.

    Raises:
        ConfigError: The function cannot be imported.
    """
    found: list[Answer] = [(NONE, ABSTAIN, "")] * len(rows)
    waiting = deque(range(len(rows)))
    crew: list[_Worker] = []
    try:
        for _ in range(min(workers, len(rows))):
            crew.append(_Worker(name, timeout))  # one by one: if one cannot start, the others are ended
        while crew:
            for worker in _ready(crew):
                if (answer := worker.hear()) is not None:
                    found[worker.row] = answer
                if worker.alive and waiting:
                    row = waiting.popleft()
                    worker.ask(row, rows[row])
                    continue
                crew.remove(worker)
                worker.end()
                if waiting:
                    crew.append(_Worker(name, timeout))
    finally:
        for worker in crew:
            worker.end()
    return found


def check_import(name: str) -> None:
    """Import the function in a process that ends at once.

    Raises:
        ConfigError: It cannot be imported.
    """
    worker = _Worker(name, IMPORT_LIMIT)
    try:
        _ready([worker])
        worker.hear()
    finally:
        worker.end()


def _ready(crew: list["_Worker"]) -> list["_Worker"]:
    """Those who have answered, died, or had their time; at least one."""
    left = min(worker.deadline for worker in crew) - time.monotonic()
    answered = wait([worker.answers for worker in crew], max(left, 0))
    now = time.monotonic()
    return [worker for worker in crew if worker.answers in answered or worker.deadline <= now]


class _Worker:
    """A process that imports the function, then answers a row at a time.

    It leads a process group of its own, so that :meth:`end` also ends what the function started.

    Attributes:
        row: The number of the row it is at; -1 while it imports the function.
        alive: Whether it can take another row.
        deadline: When its time is over, on the monotonic clock.
        answers: Where its answers arrive.
    """

    def __init__(self, name: str, timeout: float) -> None:
        self._name, self._timeout = name, timeout
        self.row, self.alive = -1, True
        rows_out, rows_in = os.pipe()
        answers_out, answers_in = os.pipe()
        try:
            self._process = subprocess.Popen(
                [sys.executable, str(SCRIPT), str(rows_out), str(answers_in)],
                pass_fds=(rows_out, answers_in),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                # Sets of text come in an order that depends on this; verdicts must not.
                env={**os.environ, "PYTHONHASHSEED": "0"},
            )
        finally:
            os.close(rows_out)
            os.close(answers_in)
        self._rows = Connection(rows_in, readable=False)
        self.answers = Connection(answers_out, writable=False)
        self.deadline = time.monotonic() + IMPORT_LIMIT
        self._send((sys.path, name))

    def ask(self, number: int, row: dict[str, Any]) -> None:
        """Give it its next row."""
        self.row, self.deadline = number, time.monotonic() + self._timeout
        self._send(row)

    def hear(self) -> Answer | None:
        """Its answer on :attr:`row`, or None when it has imported the function.

        Raises:
            ConfigError: It could not import it.
        """
        failure: str | None = None
        said: Any = None
        if not self.answers.poll():
            failure = f"took longer than {self._timeout if self.row >= 0 else IMPORT_LIMIT:g} s"
        else:
            try:
                said = self.answers.recv()
            except EOFError:
                failure = self._death()
            except Exception as e:  # the function wrote into our pipe: whatever unpickling trips over
                failure = f"the function disturbed its process's pipes ({type(e).__name__})"
        self.alive = failure is None
        if self.row >= 0:
            return said if failure is None else (NONE, ABSTAIN, failure)
        if (failure := failure or said) is not None:
            raise ConfigError(
                f"cannot import the function {self._name!r}",
                got=failure,
                fix="check its name, and that its module can be imported from the working directory",
            )
        return None

    def end(self) -> None:
        """Kill it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._rows.close()
        self.answers.close()

    def _send(self, message: object) -> None:
        # A worker that has died is found out by `hear`.
        with contextlib.suppress(BrokenPipeError):
            self._rows.send(message)

    def _death(self) -> str:
        try:
            code = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "the function closed its process's pipes"
        if code < 0:
            named = {s.value: s.name for s in signal.Signals}
            return f"the function's process was ended by {named.get(-code, f'signal {-code}')}"
        return f"the function ended its process with exit code {code}"
