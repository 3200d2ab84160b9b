"""The process that calls a user's function; of the standard library only, so that it starts fast.

It reads lines of JSON from a socket: first ``{"path", "function", "memory"}``, then ``[number, row, arrays]``
for each row. It writes one line of JSON for each: ``[number, score, decision, reason]``. The first has the
number -1 and, when the function cannot be imported, the reason.
"""

import binascii
import importlib
import json
import math
import os
import re
import sys
from collections.abc import Callable
from typing import Any

REJECT, ACCEPT, ABSTAIN, OPEN = 0, 1, 2, -1
"""As in :class:`veriloop.verdicts.Decision`, which is not imported here: it would bring NumPy."""

Answer = tuple[float, int, str]
"""Score, decision and reason."""

NONE = math.nan

READY = -1
"""The number of the first line, which is about the function itself."""

LONGEST = 1 << 20
"""Bytes of an answer's line."""

CLOSED = 113
"""The exit code of a worker whose socket the function has closed."""

_OUT_OF_REACH = 4000
"""Where the socket's number lies: what closes or writes to whatever there is begins with small ones."""


def main(channel: str) -> None:
    """Serve rows until the socket closes."""
    number = _out_of_reach(int(channel))
    process = os.getpid()
    # A copy of this process that the function makes has no part in the talk, and no way to it.
    os.register_at_fork(after_in_child=lambda: os.close(number))

    def say(row: int, score: float, decision: int, reason: str) -> None:
        if os.getpid() != process:
            os._exit(0)  # the function forked, and returned here a second time
        line = _encoded(row, score, decision, reason)
        if len(line) > LONGEST:
            why = f"the function's reason is longer than an answer may be ({len(reason):,} characters)"
            line = _encoded(row, NONE, ABSTAIN, why)
        left = memoryview(line)
        while left:
            left = left[os.write(number, left) :]

    try:
        with open(number, "rb", closefd=False) as lines:
            start = json.loads(lines.readline())
            _limit(start["memory"])
            sys.path[:] = start["path"]
            try:
                function = _load(start["function"])
            except BaseException as e:  # also a module that calls sys.exit
                return say(READY, NONE, ABSTAIN, _line(e))
            say(READY, NONE, ABSTAIN, "")
            for line in lines:
                say(*_answer(function, *json.loads(line)))
    except BrokenPipeError:
        return None
    except OSError:
        os._exit(CLOSED)


def _answer(
    function: Callable[[dict[str, Any]], Any], number: int, row: dict[str, Any], arrays: dict[str, Any]
) -> tuple[int, float, int, str]:
    for name, (form, shape, content) in arrays.items():
        row[name] = memoryview(binascii.a2b_base64(content)).cast(form, shape).tolist()
    return number, *judge(function, row)


def judge(function: Callable[[dict[str, Any]], Any], row: dict[str, Any]) -> Answer:
    """What ``function`` says of ``row``; an abstention with the reason when it fails to say."""
    try:
        return _read(function(row))
    except BaseException as e:  # whatever the function raises, sys.exit and KeyboardInterrupt too
        return NONE, ABSTAIN, _line(e)


def _read(said: Any) -> Answer:
    is_pair = isinstance(said, tuple) and len(said) == 2 and isinstance(said[1], str)
    value: Any = said[0] if is_pair else said
    reason = str.__str__(said[1]) if is_pair else ""  # not by a method of a text class of their own
    if hasattr(value, "item") and value.shape == ():  # a NumPy or torch scalar
        value = value.item()
    if isinstance(value, bool):
        return float(value), ACCEPT if value else REJECT, reason
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value), OPEN, reason
    if value is None:
        return NONE, ABSTAIN, reason or "the function returned None"
    return NONE, ABSTAIN, f"the function returned {_short(repr(value))}, no bool, finite number or None"


def _load(name: str) -> Callable[[dict[str, Any]], Any]:
    path, _, attribute = name.partition(":")
    module = importlib.import_module(path)
    if not hasattr(module, attribute):
        where = getattr(module, "__file__", None) or "built in"
        raise AttributeError(f"module {path!r} ({where}) has no attribute {attribute!r}")
    function = getattr(module, attribute)
    if not callable(function):
        raise TypeError(f"{name} is a {type(function).__name__}, no function")
    return function


def _encoded(row: int, score: float, decision: int, reason: str) -> bytes:
    return json.dumps([row, None if math.isnan(score) else score, decision, reason]).encode() + b"\n"


def _line(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, MemoryError) and _limited:
        return f"{name}: the function needs more than the {_limited[0]} of memory that it may use"
    try:
        return _short(f"{name}: {error}")
    except BaseException:  # an exception of their own that cannot say what it is
        return name


def _short(text: str) -> str:
    # Where an object lies in memory differs from run to run, and records must not.
    line = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
    return line if len(line) <= 200 else f"{line[:197]}..."


_limited: list[str] = []
"""The limit of memory, in words."""


def _limit(memory: int | None) -> None:
    if memory is not None:
        import resource

        # Data, and not the address space, of which libraries reserve much more than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        _limited.append(in_words(memory))


def in_words(memory: int) -> str:
    """So many bytes, for people: ``2 GB``."""
    return f"{memory / 1e9:g} GB" if memory >= 1e9 else f"{memory / 1e6:g} MB"


def _out_of_reach(channel: int) -> int:
    import fcntl
    import resource

    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    aim = min(_OUT_OF_REACH, max(channel, highest - 8)) if highest > 0 else _OUT_OF_REACH
    moved = fcntl.fcntl(channel, fcntl.F_DUPFD_CLOEXEC, aim)
    os.close(channel)
    return moved
