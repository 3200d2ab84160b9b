"""Work against the clock: a part may be as slow as it likes, and a preview has to be over."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

AGAIN = 5.0
"""Seconds after which work that did not end when it was interrupted is interrupted again."""


class OutOfTime(BaseException):
    """The time is over. Not an `Exception`, so that no part takes it for a mistake in its own code."""


class Clock:
    """How much time is left, and what was given up for lack of it.

    Args:
        seconds: From now on.

    Attributes:
        missed: What was given up, each in a few words for people.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.missed: list[str] = []

    @property
    def left(self) -> float:
        """Seconds; below 0 when the time is over."""
        return self._end - time.monotonic()

    def give(self, what: str, seconds: float, work: Callable[[], T]) -> T | None:
        """The result of ``work``, or None when it was not done in so many seconds, or in those that are left.

        In the main thread it is interrupted, by a timer of the system, whatever it does. In another thread
        nothing can interrupt it, and it is waited for.

        Args:
            what: What is given up then, in a few words.
            seconds: How long it may take.
            work: Is called once.
        """
        seconds = min(seconds, self.left)
        if seconds <= 0:
            self.missed.append(f"{what} (no time was left)")
            return None
        try:
            with _interrupted_after(seconds):
                return work()
        except OutOfTime:
            self.missed.append(f"{what} (not done after {seconds:.0f} s)")
            return None


@contextmanager
def _interrupted_after(seconds: float) -> Iterator[None]:
    """A block that `OutOfTime` ends after so many seconds."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    fired = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal fired
        fired = True
        raise OutOfTime

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        # Whatever libraries have made of the interruption on its way, such as a group of errors.
        if not fired:
            raise
        raise OutOfTime from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
