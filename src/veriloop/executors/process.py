"""Processes on this machine, by joblib's loky: clean interpreters, no fork of a threaded parent."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import override

from ..guarded.process import end_marked
from ._retry import recomputing
from .base import Executor, Item, Result

POOL = "VERILOOP_POOL"
"""An environment variable of all that the workers of a pool start."""


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
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        # A worker whose memory has grown is replaced; ours load data sets, and nothing is lost by it.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)

        def start(items: Iterable[Item]) -> Iterator[Result]:
            pool = Parallel(
                n_jobs=self.workers or os.cpu_count() or 1,
                return_as="generator",
                initializer=_die_with,
                initargs=(os.getpid(), _pool(os.getpid())),
            )
            return pool(delayed(function)(shared, item) for item in items)  # pyright: ignore[reportReturnType]

        # A pool that is given up kills its workers with all below them, guards too: then nobody else looks
        # for what was started in that very moment.
        return recomputing(start, items, TerminatedWorkerError, lambda: end_marked(POOL, _pool(os.getpid())))


@cache
def _pool(process: int) -> str:
    return f"{process}-{os.urandom(8).hex()}"


def _die_with(parent: int, pool: str) -> None:
    """End this worker soon after its parent is gone, so that a kill -9 leaves nobody writing.

    A worker without work would otherwise stay for minutes, holding the pipes of the dead parent open.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    os.environ[POOL] = pool
    # Ctrl-C goes to the whole group: one process answers it, with one line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=watch, daemon=True).start()
