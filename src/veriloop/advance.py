"""Progress inside a long call of a part: the part reports it, and the caller may listen.

A part's methods take the data they work on and nothing else, so the listener is not an argument. It is set
for one thread for the length of a block (`heard_by`). Without a listener, a report costs a fraction of a
microsecond. Results never depend on a listener, except that it may end a training early (`report`).
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import NamedTuple


class RowsDone(NamedTuple):
    """Progress of a call that writes, judges or reads rows.

    Attributes:
        done: Rows finished so far.
        of: Total number of rows.
        tokens: Tokens written or read so far; 0 if the call has none.
    """

    done: int
    of: int
    tokens: int = 0


class StepDone(NamedTuple):
    """Progress of a call that trains a model.

    Attributes:
        done: Steps finished so far; 0 just before the first one.
        of: Largest possible number of steps.
        loss: Loss of the latest step or epoch; None if it is not known.
        gradient_norm: Gradient norm of the latest step before clipping; None if it is not known.
        tokens: Tokens trained on so far, including prompts; 0 if there are none.
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
    """Pass a report on to the listener, if there is one.

    Returns:
        Whether the listener wants no more: a training may then stop and return the model it has so far.
    """
    listener = _listener.get()
    return listener is not None and bool(listener(how_far))


class heard_by:
    """Send the reports of this thread to ``listener`` inside the block, instead of to an outer listener."""

    # A class, since a round enters six of them, and a generator would cost twice as much.

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def __enter__(self) -> None:
        self._token = _listener.set(self._listener)

    def __exit__(self, *raised: object) -> None:
        _listener.reset(self._token)


class Rows:
    """Counts the rows that a call has finished and reports them.

    Args:
        of: Total number of rows.
    """

    def __init__(self, of: int) -> None:
        self._done, self._of, self._tokens = 0, of, 0

    def add(self, rows: int = 0, tokens: int = 0) -> None:
        """Add finished rows and tokens."""
        self._done += rows
        self._tokens += tokens
        report(RowsDone(self._done, self._of, self._tokens))
