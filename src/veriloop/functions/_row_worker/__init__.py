"""The process that calls a user's function; standard library only, so that it starts fast.

It reads lines of JSON from a socket: first ``{"path", "memory", "function", ...}``, then ``[number, round,
[[row, arrays], ...]]`` for each call. For each it writes one line of JSON: ``[number, answers, failure,
logged]``; if the function failed as a whole, there is a failure and no answers. The first line has the number
-1 and says how the function is called, or why it cannot be.

It is a package because the parent also imports parts of it; as a script it is imported by its folder's name.
"""

import binascii
import json
import math
import os
import sys
from typing import Any

from .calls import Call, Caller
from .forms import TRL, WrongForm, find, load
from .said import ABSTAIN, NONE, Answer, short

READY = -1
"""Number of the first line, which is about the function itself."""

IMPORT, FORM = "import", "form"
"""Message for errors before the first row."""

LONGEST = 1 << 20
"""Largest size of an answer's line in bytes."""

CLOSED = 113
"""Exit code of a worker whose socket was closed by the function."""

_OUT_OF_REACH = 4000
"""Number of the socket's descriptor; high, because code that closes descriptors starts with low ones."""


def main(channel: str) -> None:
    """Serve rows until the socket closes."""
    number = _out_of_reach(int(channel))
    process = os.getpid()
    # A fork of this process made by the function must not use the connection.
    os.register_at_fork(after_in_child=lambda: os.close(number))

    def say(*line: Any) -> None:
        """Write an answer to the socket, in as many writes as it takes."""
        if os.getpid() != process:
            os._exit(0)  # the function forked and returned here a second time
        left = memoryview(_encoded(*line))
        while left:
            left = left[os.write(number, left) :]

    try:
        with open(number, "rb", closefd=False) as lines:
            start = json.loads(lines.readline())
            _limit(start["memory"])
            sys.path[:] = start["path"]
            try:
                call, how = _prepared(start)
            except WrongForm as e:
                return say(READY, [], FORM, list(map(str, e.args)))
            except BaseException as e:  # including modules that call sys.exit
                return say(READY, [], IMPORT, [_line(e)])
            say(READY, [], "", how)
            for line in lines:
                row, round_, rows = json.loads(line)
                say(row, *_answers(call, [_row(*each) for each in rows], round_, how[0] == TRL))
    except BrokenPipeError:
        return None
    except OSError:
        os._exit(CLOSED)


def _prepared(start: dict[str, Any]) -> tuple[Call, list[str]]:
    """Return how to call the function, and a description: the form and the signature."""
    found = find(load(start["function"]), start["form"], start["settings"], start["columns"])
    caller = Caller(found, start["roles"], start["arguments"], start["messages"], start["columns"])
    return caller, [found.form, short(found.signature)]


def _row(row: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    for name, (form, shape, content) in arrays.items():
        row[name] = memoryview(binascii.a2b_base64(content)).cast(form, shape).tolist()
    return row


def _answers(
    call: Call, rows: list[dict[str, Any]], round_: int, lists: bool
) -> tuple[list[Answer], str, dict[str, list[float]]]:
    """Return the answers for ``rows``, or why there are none."""
    try:
        answers, logged = call(rows, round_)
    except BaseException as e:  # anything, including sys.exit and KeyboardInterrupt
        return [], _line(e) + (_hint(e) if lists else ""), {}
    return answers, "", logged


def _hint(error: BaseException) -> str:
    """Return a hint for users who mix up the two shapes of completions."""
    if isinstance(error, TypeError) and "string indices" in str(error):
        return " (completions are texts here; messages: true passes lists of chat messages)"
    if "'list'" in str(error) and isinstance(error, TypeError | AttributeError):
        return " (with chat messages, completions are lists of them; messages: false passes texts)"
    return ""


def _encoded(number: int, answers: list[Answer], failure: str, beside: Any) -> bytes:
    def plain(answer: Answer) -> list[Any]:
        """Return an answer as JSON can write it: None in place of NaN."""
        score, decision, reason = answer
        return [None if math.isnan(score) else score, decision, reason]

    line = json.dumps([number, list(map(plain, answers)), failure, beside]).encode() + b"\n"
    if len(line) <= LONGEST:
        return line
    length = max((len(reason) for _, _, reason in answers), default=0)
    why = f"the function's reason is too long ({length:,} characters)"
    return _encoded(number, [(NONE, ABSTAIN, why)] * len(answers), failure, {})


def _line(error: BaseException) -> str:
    name = type(error).__name__
    if isinstance(error, MemoryError) and _limited:
        return f"{name}: the function exceeded its memory limit of {_limited[0]}"
    try:
        return short(f"{name}: {error}")
    except BaseException:  # an exception that cannot be formatted
        return name


_limited: list[str] = []
"""The memory limit, in words."""


def _limit(memory: int | None) -> None:
    if memory is not None:
        import resource

        # Limit data rather than the address space, of which libraries reserve much more than they use.
        resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
        _limited.append(in_words(memory))


def in_words(memory: int) -> str:
    """Format a memory size: ``2 GB``."""
    return f"{memory / 1e9:g} GB" if memory >= 1e9 else f"{memory / 1e6:g} MB"


def _out_of_reach(channel: int) -> int:
    import fcntl
    import resource

    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    aim = min(_OUT_OF_REACH, max(channel, highest - 8)) if highest > 0 else _OUT_OF_REACH
    moved = fcntl.fcntl(channel, fcntl.F_DUPFD_CLOEXEC, aim)
    os.close(channel)
    return moved
