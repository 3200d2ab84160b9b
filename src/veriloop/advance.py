"""How far a long call of a part is: the part reports it, and the caller may listen.

A part's methods take what they work on and nothing else, so a listener is not one of their arguments. It is
set for the length of a block (`heard_by`), in one thread. Without a listener a report costs a fraction of a
microsecond. No result depends on a listener, unless it has enough: then a training may end early (`report`).
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple


class RowsDone(NamedTuple):
    """A call goes through rows: it writes, judges or reads them.

    Attributes:
        done: Rows so far.
        of: All of them.
        tokens: Tokens so far, written or read; 0 where there are none.
    """

    done: int
    of: int
    tokens: int = 0


class StepDone(NamedTuple):
    """A call trains a model.

    Attributes:
        done: Steps so far; 0 where the first is about to begin.
        of: The most steps there will be.
        loss: Of the latest step or epoch; None where it is not known.
        gradient_norm: Likewise, before it is clipped.
        tokens: Tokens trained on so far, prompts included; 0 where there are none.
    """

    done: int
    of: int
    loss: float | None = None
    gradient_norm: float | None = None
    tokens: int = 0


Report = RowsDone | StepDone
Listener = Callable[[Report], bool | None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def report(how_far: Report) -> bool:
    """Pass this on to the listener, if there is one.

    Returns:
        Whether it has enough: then a training may end and give the model that it has by now.
    """
    listener = _listener.get()
    return listener is not None and bool(listener(how_far))


class heard_by:
    """Inside, ``listener`` hears the reports of this thread, in place of an outer one."""

    # A class, since a round enters six of them, and a generator would cost twice as much.

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __enter__(self) -> None:
        self._token = _listener.set(self._listener)

    def __exit__(self, *raised: object) -> None:
        _listener.reset(self._token)


class Rows:
    """Counts the rows of a call as they are done, and reports them.

    Args:
        of: How many there are.
    """

    def __init__(self, of: int) -> None:
        self._done, self._of, self._tokens = 0, of, 0

    def add(self, rows: int = 0, tokens: int = 0) -> None:
        """So many more are done, and so many more tokens."""
        self._done += rows
        self._tokens += tokens
        report(RowsDone(self._done, self._of, self._tokens))
