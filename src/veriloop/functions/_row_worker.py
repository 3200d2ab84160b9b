"""The process that calls a user's function; a script of the standard library only, so that it starts fast.

Run as ``python _row_worker.py IN OUT``, with the numbers of two inherited pipes. It receives the parent's
module path and the function's name, answers None or why it could not be imported, and from then on gets rows
and answers verdicts, one each.
"""

import importlib
import math
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

REJECT, ACCEPT, ABSTAIN, OPEN = 0, 1, 2, -1
"""As in :class:`veriloop.verdicts.Decision`, which is not imported here: it would bring NumPy."""

Answer = tuple[float, int, str]
"""Score, decision and reason."""

NONE = math.nan


def main() -> None:
    """Serve rows until the pipe closes."""
    rows, answers = (Connection(int(number)) for number in sys.argv[1:])
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        sys.path[:], name = rows.recv()
        try:
            function = _load(name)
        except BaseException as e:  # also a module that calls sys.exit
            answers.send(_line(e))
            return
        answers.send(None)
        while True:
            answers.send(judge(function, rows.recv()))
    except (EOFError, BrokenPipeError):
        return


def judge(function: Callable[[dict[str, Any]], Any], row: dict[str, Any]) -> Answer:
    """What ``function`` says of ``row``; an abstention with the reason when it fails to say."""
    try:
        return _read(function(row))
    except BaseException as e:  # whatever the function raises, sys.exit and KeyboardInterrupt too
        return NONE, ABSTAIN, _line(e)


def _read(said: Any) -> Answer:
    is_pair = isinstance(said, tuple) and len(said) == 2 and isinstance(said[1], str)
    value: Any = said[0] if is_pair else said
    # A text of a class of the user's own would bring its module into the process that reads the answer.
    reason = "".join(said[1]) if is_pair else ""
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


def _line(error: BaseException) -> str:
    return _short(f"{type(error).__name__}: {error}")


def _short(text: str) -> str:
    # Where an object lies in memory differs from run to run, and records must not.
    line = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
    return line if len(line) <= 200 else f"{line[:197]}..."


def _end_with(parent: int) -> None:
    """End this process and those that the function started soon after the parent is gone."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
