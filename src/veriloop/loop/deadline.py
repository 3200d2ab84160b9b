"""Time limits: a part may be slow, but a preview must end on time."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

AGAIN = 5.0
"""Seconds after which work that did not stop when interrupted is interrupted again."""


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`, so that parts do not catch it as an error of their own."""


class Clock:
    """Tracks the time left, and what was given up for lack of it.

    Args:
        seconds: Time limit, from now.

    Attributes:
        missed: Descriptions of the work that was given up, in a few words each.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.missed: list[str] = []

    @property
    def left(self) -> float:
        """Seconds left; negative when the time is up."""
        return self._end - time.monotonic()

    def give(self, what: str, seconds: float, work: Callable[[], T]) -> T | None:
        """Return the result of ``work``, or None if it takes longer than ``seconds`` or the time left.

        In the main thread, a system timer interrupts the work. In another thread nothing can, and this waits
        until the work is done.

        Args:
            what: Short description, for the list of missed work.
            seconds: Time limit for this work.
            work: Function to call once.
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
    """End the block with `OutOfTime` after ``seconds``."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    fired = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        """Raise `OutOfTime` when the alarm rings."""
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
        # Libraries may wrap the interruption in another error, such as an exception group.
        if not fired:
            raise
        raise OutOfTime from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
