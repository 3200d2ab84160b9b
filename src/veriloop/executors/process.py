"""Worker processes on this machine, with joblib's loky: clean interpreters, no fork of a threaded parent."""

import hashlib
import math
import os
import pickle
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self

from pydantic import Field
from typing_extensions import override

from ..data_root import VARIABLE as DATA
from ..guarded.process import end_marked
from ._retry import recomputing
from .base import Executor, Item, Result

POOL = "VERILOOP_POOL"
"""Environment variable of a pool's workers and of everything they start."""

_IDLE = 300
"""Seconds without work after which a worker ends."""


class Process(Executor, frozen=True):
    """Runs items in a pool of worker processes, kept alive between calls.

    Shared data are pickled once, to a file that each worker reads once. The worker keeps them until others
    arrive, so equal data of two calls are not read again. The file is removed when the call ends.

    A worker that dies is replaced, and its work is computed again, up to three times before an error. Ctrl-C
    goes to the main process; the workers end with it.

    Attributes:
        workers: Number of workers; the number of cores when None.
    """

    workers: Annotated[int, Field(gt=0)] | None = None

    @override
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        workers = self.workers or os.cpu_count() or 1
        if workers == 1:
            yield from (function(shared, item) for item in items)
            return
        from joblib.externals.loky.process_executor import TerminatedWorkerError

        scratch = _scratch()
        with _sent(function, shared, scratch) as sent:
            # Two per worker, so that none waits; not more, because items may be created on the fly.
            yield from recomputing(
                lambda: _Workers(_pool(workers, scratch), sent),
                items,
                ahead=2 * workers,
                died=TerminatedWorkerError,
            )


def _pool(workers: int, scratch: Path) -> Any:
    """Return the one pool of this process, with ``workers`` workers."""
    from joblib.externals.loky import get_reusable_executor

    threads = str(max(1, (os.cpu_count() or 1) // workers))
    return get_reusable_executor(
        max_workers=workers,
        timeout=_IDLE,
        initializer=_begin,
        initargs=(os.getpid(), str(scratch)),
        env={
            POOL: str(scratch),
            # For functions that do not set a number of threads.
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads),
        },
    )


class _Sent(NamedTuple):
    """The data that all calls of a map share, as a file."""

    path: str
    digest: str


class _Workers(NamedTuple):
    """The pool, at work on shared data."""

    pool: Any
    sent: _Sent

    def submit(self, item: Any) -> Future[Any]:
        """Send ``item`` to a free worker."""
        return self.pool.submit(_call, self.sent, item)

    def end(self) -> None:
        """Kill the workers and everything that they started."""
        # Not with shutdown(kill_workers=True), which fails on items that are not in a worker's queue yet.
        # When one worker dies, loky ends the others and everything below them.
        for worker in list(self.pool._processes.values()):
            with suppress(ProcessLookupError):
                if worker.is_alive():
                    os.kill(worker.pid, signal.SIGKILL)
        self.pool.shutdown()
        # Guards were killed too, so nothing else finds the processes they guarded, or those just started.
        end_marked(POOL, str(_scratch()))


class _Surroundings(NamedTuple):
    """What the main process may have changed since a worker started.

    Attributes:
        path: Folders from which modules are imported.
        directory: The working directory, for relative paths of data; None if it was removed.
        data: The folder of the user's data, if one is set.
    """

    path: list[str]
    directory: str | None
    data: str | None

    @classmethod
    def here(cls) -> Self:
        """Return those of this process."""
        directory = None
        with suppress(FileNotFoundError):
            directory = str(Path.cwd())
        return cls(sys.path, directory, os.environ.get(DATA))

    def enter(self) -> None:
        """Take them over in a worker."""
        sys.path.extend(folder for folder in self.path if folder not in sys.path)
        if self.directory is not None:
            os.chdir(self.directory)
        if self.data is not None:
            os.environ[DATA] = self.data
        else:
            os.environ.pop(DATA, None)


@contextmanager
def _sent(function: Callable[..., Any], shared: Any, scratch: Path) -> Iterator[_Sent]:
    import cloudpickle

    path = scratch / uuid.uuid4().hex
    try:
        with path.open("w+b") as file:
            cloudpickle.dump(_Surroundings.here(), file)
            cloudpickle.dump((function, shared), file)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        yield _Sent(str(path), digest)
    finally:
        path.unlink(missing_ok=True)


@cache
def _scratch() -> Path:
    """Return a directory for this process only, removed with it, or by a worker that notices its end."""
    import atexit

    path = tempfile.mkdtemp(prefix="veriloop-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


# -- in a worker -----------------------------------------------------------------------------------------

_received: tuple[str, Any] | None = None
"""The digest and content of the data received last."""


def _call(sent: _Sent, item: Any) -> Any:
    global _received
    if _received is None or _received[0] != sent.digest:
        _received = None  # first, so that two are never in memory
        with Path(sent.path).open("rb") as file:
            pickle.load(file).enter()
            _received = (sent.digest, pickle.load(file))
    function, shared = _received[1]
    return function(shared, item)


def _begin(parent: int, scratch: str) -> None:
    # loky warns and replaces a worker whose memory has grown. These hold shared data on purpose.
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf
    # Ctrl-C goes to the whole process group; the main process handles it, with one line.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent, scratch)


def _die_with(parent: int, scratch: str) -> None:
    """End this worker soon after its parent, so that after a kill -9 no process keeps writing.

    An idle worker would otherwise stay for minutes and hold the pipes of the dead parent open.
    """

    def watch() -> None:
        """Wait until the parent is gone, then delete the scratch folder and end this process."""
        while os.getppid() == parent:
            time.sleep(0.2)
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
