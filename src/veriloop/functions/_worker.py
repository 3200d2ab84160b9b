"""A worker process, seen from its parent: its tasks, its answers, and how it ended."""

import json
import math
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import ConfigError, VeriloopError
from ..guarded.process import GuardedProcess
from ._row_worker import CLOSED, FORM, LONGEST, READY, in_words
from ._row_worker.said import ABSTAIN, ACCEPT, NONE, NOT_FOR_THIS, OPEN, REJECT, Answer
from .rows import encode

SCRIPT = Path(__file__).with_name("_row_worker")

IMPORT_LIMIT = 120.0
"""Time limit in seconds for importing the function's module."""


class Order(NamedTuple):
    """A function, how it is called, and its limits.

    Attributes:
        name: Name ``module:name``.
        timeout: Seconds per call.
        memory: Memory limit of each process in bytes; None for no limit.
        processes: Number of processes it may start; None for no limit.
        form: How it is called, one of ``forms.FORMS``; None to infer it from the signature.
        settings: Values for parameters.
        arguments: Columns for parameters.
        roles: Role of each column, by the names in ``calls``.
        messages: Whether prompts and completions are lists of chat messages; None if the prompt decides.
        batch: Largest number of rows in a call of a function that takes lists.
    """

    name: str
    timeout: float
    memory: int | None = None
    processes: int | None = None
    form: str | None = None
    settings: Mapping[str, Any] = MappingProxyType({})
    arguments: Mapping[str, str] = MappingProxyType({})
    roles: Mapping[str, str] = MappingProxyType({})
    messages: bool | None = None
    batch: int = 64

    def start(self, columns: Sequence[str]) -> str:
        """Return the line that starts a worker."""
        told = {"path": sys.path, "memory": self.memory, "function": self.name, "form": self.form}
        how = {"settings": dict(self.settings), "arguments": dict(self.arguments), "roles": dict(self.roles)}
        return encode({**told, **how, "messages": self.messages, "columns": list(columns)})


class Known(NamedTuple):
    """How a function is called: its form and signature."""

    form: str
    signature: str


class Outcome(NamedTuple):
    """The result of a call: one answer per row, or the reason for having none; and what was logged."""

    answers: list[Answer]
    failure: str = ""
    logged: Mapping[str, list[float]] = MappingProxyType({})


class Worker:
    """A process that imports the function, then calls it on a few rows at a time.

    No method waits for it: rows are sent and answers read as far as its socket allows, and the owner of
    ``selector`` calls :meth:`has_settled` when there is news, or at the ``deadline``. It is under a guard, so
    processes started by the function end with it, and it ends with this process.

    Attributes:
        rows: Rows in progress; None while it imports the function.
        known: How it calls the function, once imported.
        alive: Whether it can take more rows.
        was_killed: Whether it was ended by SIGKILL, as the system does when memory is short.
        deadline: Time limit on the monotonic clock.

    Raises:
        VeriloopError: The system does not allow starting a process.
    """

    def __init__(self, order: Order, selector: BaseSelector, columns: Sequence[str]) -> None:
        self._order, self._selector = order, selector
        self.rows: range | None = None
        self.known: Known | None = None
        self.alive, self.was_killed = True, False
        self._unsent, self._heard = b"", bytearray()
        self._ended = self._wants_room = False
        self._channel, theirs = socket.socketpair()
        try:
            self._process = GuardedProcess(
                [str(theirs.fileno())],
                module=SCRIPT,
                keep=[theirs.fileno()],
                most=order.processes,
                # The order of sets of text depends on this, but verdicts must not.
                env={"PYTHONHASHSEED": "0"},
            )
        except OSError as e:
            self._channel.close()
            raise VeriloopError(
                f"a process for the function {order.name!r} cannot be started ({e.strerror})",
                fix="use fewer workers, or free memory",
            ) from e
        finally:
            theirs.close()
        self._channel.setblocking(False)
        selector.register(self._channel, EVENT_READ, self)
        self.deadline = time.monotonic() + IMPORT_LIMIT
        self._send(order.start(columns))

    def ask(self, rows: range, line: str) -> None:
        """Send it the next rows; ``line`` is their message."""
        self.rows, self.deadline = rows, time.monotonic() + self._order.timeout
        self._send(line)

    def has_settled(self) -> bool:
        """Move data; return whether :meth:`answer` is ready: it answered, died, or ran out of time."""
        if self._unsent:
            self._send_rest()
        try:
            news = self._channel.recv(1 << 16)
            self._ended = not news
            self._heard += news
        except BlockingIOError:
            pass
        except ConnectionError:
            self._ended = True
        return (
            self._ended
            or b"\n" in self._heard
            or len(self._heard) > LONGEST
            or self.deadline <= time.monotonic()
        )

    def outcome(self) -> Outcome | None:
        """Return the result for :attr:`rows`; None after importing the function, or if killed meanwhile.

        Raises:
            ConfigError: It could not import the function, or its signature fits no form.
        """
        line, newline, rest = self._heard.partition(b"\n")
        said, failure = None, ""
        if newline or len(line) > LONGEST:
            # An extra line does not come from the worker either, so none of the lines can be trusted.
            said = None if rest else _read(bytes(line), self.rows)
            failure = "" if said else "the function disturbed its process's socket"
        elif self._ended:
            failure = self._death()
        else:
            limit = self._order.timeout if self.rows is not None else IMPORT_LIMIT
            failure = f"took longer than {limit:g} s"
        self._heard.clear()
        self.alive = said is not None
        if self.rows is not None:
            return said if isinstance(said, Outcome) else Outcome([], failure)
        if isinstance(said, Known):
            self.known = said
        elif isinstance(said, ConfigError):
            raise self._wrong(said)
        elif not self.was_killed:
            raise self.no_import(failure)
        return None

    def _wrong(self, error: ConfigError) -> ConfigError:
        if error.expected is None:
            return self.no_import(str(error.got))
        what = f"the function {self._order.name!r} cannot be called"
        return ConfigError(what, got=error.got, expected=error.expected, fix=error.fix)

    def no_import(self, why: str) -> ConfigError:
        """Return the error for a function that cannot be imported."""
        return ConfigError(
            f"cannot import the function {self._order.name!r}",
            got=why,
            fix="check its name, and that its module can be imported from the working directory",
        )

    def release(self) -> None:
        """Let it end, without waiting."""
        if self._channel.fileno() >= 0:
            self._selector.unregister(self._channel)
            self._channel.close()
        self._process.release()

    def end(self) -> None:
        """End it and everything it has started, and wait until all have ended."""
        self.release()
        self._process.end()

    def _send(self, line: str) -> None:
        self._unsent = line.encode() + b"\n"
        self._send_rest()

    def _send_rest(self) -> None:
        try:
            self._unsent = self._unsent[self._channel.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent = b""  # its death is noticed when reading
        if self._wants_room != bool(self._unsent):
            self._wants_room = not self._wants_room
            events = EVENT_READ | EVENT_WRITE if self._wants_room else EVENT_READ
            self._selector.modify(self._channel, events, self)

    def _death(self) -> str:
        code = self._process.wait(1)
        if code is None or code == CLOSED:
            return "the function closed its process's socket"
        if self._process.had_too_many():
            return f"the function started more than {self._order.processes} processes"
        memory = self._order.memory
        limit = f" (it may use {in_words(memory)} of memory)" if memory else ""
        if code >= 0:
            return f"the function ended its process with exit code {code}{limit}"
        self.was_killed = code == -signal.SIGKILL
        if self.was_killed:
            limit = ", as the system does when memory is short" + limit
        named = {s.value: s.name for s in signal.Signals}
        return f"the function's process was ended by {named.get(-code, f'signal {-code}')}{limit}"


def _read(line: bytes, rows: range | None) -> Outcome | Known | ConfigError | None:
    """Parse a line about ``rows`` or the function; None if the worker did not write it."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, list) or len(said) != 4:
        return None
    number, answers, failure, beside = said
    if type(number) is not int or type(answers) is not list or type(failure) is not str:
        return None
    if rows is None:
        return _of_start(failure, beside) if number == READY else None
    if number != rows.start or not isinstance(beside, dict):
        return None
    if failure:
        return Outcome([], failure)
    read = [_answer(answer) for answer in answers]
    sound = [answer for answer in read if answer is not None]
    return Outcome(sound, "", beside) if len(sound) == len(read) == len(rows) and _logs(beside) else None


def _of_start(failure: str, told: Any) -> Known | ConfigError | None:
    if not isinstance(told, list) or not all(isinstance(word, str) for word in told):
        return None
    if failure == FORM:
        got, expected, fix = told
        return ConfigError("", got=got, expected=expected, fix=fix or None)
    return ConfigError("", got=told[0]) if failure else Known(*told)


def _answer(said: Any) -> Answer | None:
    if not isinstance(said, list) or len(said) != 3:
        return None
    score, decision, reason = said
    if type(decision) is not int or type(reason) is not str:
        return None
    wanted = {ABSTAIN: None, NOT_FOR_THIS: None, ACCEPT: 1.0, REJECT: 0.0, OPEN: score}
    if decision not in wanted or score != wanted[decision]:
        return None
    if score is None:
        return None if decision == OPEN else (NONE, decision, reason)
    return (score, decision, reason) if type(score) is float and math.isfinite(score) else None


def _logs(beside: dict[str, Any]) -> bool:
    return all(
        isinstance(values, list) and all(type(value) is float and math.isfinite(value) for value in values)
        for values in beside.values()
    )
