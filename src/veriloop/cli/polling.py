"""A look at a growing run again and again, in a thread, while something else is done."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SECONDS = 0.25
"""Between two looks."""


@contextmanager
def polled(look: Callable[[], None]) -> Iterator[None]:
    """Call ``look`` every `SECONDS` inside the block, and once after it."""
    over = threading.Event()

    def keep_looking() -> None:
        """Call ``look`` until the block ends, and once more."""
        while not over.wait(SECONDS):
            look()
        look()

    thread = threading.Thread(target=keep_looking, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(timeout=5)
