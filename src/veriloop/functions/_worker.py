"""One worker as its parent sees it: what it is asked, what it has said, and how it ended."""

import json
import math
import signal
import socket
import sys
import time
from pathlib import Path
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector
from typing import NamedTuple

from ..errors import ConfigError, VeriloopError
from ..guarded.process import GuardedProcess
from ._row_worker import ABSTAIN, ACCEPT, CLOSED, LONGEST, NONE, OPEN, READY, REJECT, Answer, in_words
from ._rows import encode

SCRIPT = Path(__file__).with_name("_row_worker.py")

IMPORT_LIMIT = 120.0
"""Seconds that importing the function's module may take."""


class Order(NamedTuple):
    """The function's name, and its limits: seconds for a row, bytes of memory, processes."""

    name: str
    timeout: float
    memory: int | None = None
    processes: int | None = None


class Worker:
    """A process that imports the function, then answers a row at a time.

    Nothing here waits for it: rows are sent and answers read as far as its socket allows, and whoever owns
    ``selector`` asks :meth:`has_settled` when there is news, or at the ``deadline``. It is under a guard, so
    what the function starts ends with it, and it ends with us.

    Attributes:
        row: The number of the row it is at; ``READY`` while it imports the function.
        alive: Whether it can take another row.
        was_killed: Whether it was ended by SIGKILL, as the system does when memory is short.
        deadline: When its time is over, on the monotonic clock.

    Raises:
        VeriloopError: The system does not let us start one.
    """

    def __init__(self, order: Order, selector: BaseSelector) -> None:
        self._order, self._selector = order, selector
        self.row, self.alive, self.was_killed = READY, True, False
        self._unsent, self._heard = b"", bytearray()
        self._ended = self._wants_room = False
        self._channel, theirs = socket.socketpair()
        try:
            self._process = GuardedProcess(
                [str(theirs.fileno())],
                module=SCRIPT,
                keep=[theirs.fileno()],
                most=order.processes,
                # Sets of text come in an order that depends on this; verdicts must not.
                env={"PYTHONHASHSEED": "0"},
            )
        except OSError as e:
            self._channel.close()
            raise VeriloopError(
                f"a process for the function {order.name!r} cannot be started ({e.strerror})",
                fix="take fewer workers, or free memory",
            ) from e
        finally:
            theirs.close()
        self._channel.setblocking(False)
        selector.register(self._channel, EVENT_READ, self)
        self.deadline = time.monotonic() + IMPORT_LIMIT
        self._send(encode({"path": sys.path, "function": order.name, "memory": order.memory}))

    def ask(self, number: int, line: str) -> None:
        """Give it its next row, whose line this is."""
        self.row, self.deadline = number, time.monotonic() + self._order.timeout
        self._send(line)

    def has_settled(self) -> bool:
        """Move what can be moved; whether :meth:`answer` is there: it has answered, died, or had its time."""
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

    def answer(self) -> Answer | None:
        """What it says of :attr:`row`; None when it has imported the function, or was killed over that.

        Raises:
            ConfigError: It could not import it.
        """
        line, newline, rest = self._heard.partition(b"\n")
        said, failure = None, ""
        if newline or len(line) > LONGEST:
            # A line more than was asked for is not ours either, and then none of them can be believed.
            said = None if rest else _read(bytes(line), self.row)
            failure = "" if said else "the function disturbed its process's socket"
        elif self._ended:
            failure = self._death()
        else:
            limit = self._order.timeout if self.row >= 0 else IMPORT_LIMIT
            failure = f"took longer than {limit:g} s"
        self._heard.clear()
        self.alive = said is not None
        if self.row >= 0:
            return said or (NONE, ABSTAIN, failure)
        if self.was_killed or (said and not said[2]):
            return None
        raise self.no_import(said[2] if said else failure)

    def no_import(self, why: str) -> ConfigError:
        """The error for a function that cannot be imported."""
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
        """End it and all that it has started, and wait until they have."""
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
            self._unsent = b""  # that it has died is found out where it is heard
        if self._wants_room != bool(self._unsent):
            self._wants_room = not self._wants_room
            events = EVENT_READ | EVENT_WRITE if self._wants_room else EVENT_READ
            self._selector.modify(self._channel, events, self)

    def _death(self) -> str:
        code = self._process.wait(1)
        if code is None or code == CLOSED:
            return "the function closed its process's socket"
        if self._process.had_too_many():
            return f"the function had more than the {self._order.processes} processes that it may start"
        memory = self._order.memory
        limit = f" (it may use {in_words(memory)} of memory)" if memory else ""
        if code >= 0:
            return f"the function ended its process with exit code {code}{limit}"
        self.was_killed = code == -signal.SIGKILL
        if self.was_killed:
            limit = ", as the system does when memory is short" + limit
        named = {s.value: s.name for s in signal.Signals}
        return f"the function's process was ended by {named.get(-code, f'signal {-code}')}{limit}"


def _read(line: bytes, row: int) -> Answer | None:
    """The answer that ``line`` holds on ``row``; None when that is not what our worker writes."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, list) or len(said) != 4:
        return None
    number, score, decision, reason = said
    if type(number) is not int or number != row or type(decision) is not int or type(reason) is not str:
        return None
    wanted = {ABSTAIN: None, ACCEPT: 1.0, REJECT: 0.0, OPEN: score}
    if decision not in wanted or score != wanted[decision]:
        return None
    if decision == ABSTAIN:
        return NONE, ABSTAIN, reason
    return (score, decision, reason) if type(score) is float and math.isfinite(score) else None
