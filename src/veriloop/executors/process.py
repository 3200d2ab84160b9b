"""Processes on this machine, by joblib's loky: clean interpreters, no fork of a threaded parent."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import override

from ._retry import recomputing
from .base import Executor, Item, Result


class Process(Executor, frozen=True):
    """A pool of worker processes, kept warm between calls.

    A worker that dies is replaced, and what was under way is computed again, three times before that is an
    error. Ctrl-C is for the process that waits for them; they end with it.

    Attributes:
        workers: How many; as many as there are cores when None.
    """

    workers: Annotated[int, Field(gt=0)] | None = None

    @override
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        from joblib import Parallel, delayed

        # A worker whose memory has grown is replaced; ours load data sets, and nothing is lost by it.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)

        def start(items: Iterable[Item]) -> Iterator[Result]:
            pool = Parallel(
                n_jobs=self.workers or os.cpu_count() or 1,
                return_as="generator",
                initializer=_die_with,
                initargs=(os.getpid(),),
            )
            return pool(delayed(function)(shared, item) for item in items)  # pyright: ignore[reportReturnType]

        return recomputing(start, items)


def _die_with(parent: int) -> None:
    """End this worker soon after its parent is gone, so that a kill -9 leaves nobody writing.

    A worker without work would otherwise stay for minutes, holding the pipes of the dead parent open.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    # Ctrl-C goes to the whole group: one process answers it, with one line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
