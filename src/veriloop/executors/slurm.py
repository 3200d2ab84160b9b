"""Jobs of a Slurm cluster, by submitit, which is imported in this file only, and only when it is used."""

import io
import os
import pickle
import signal
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ByteSize, Field
from typing_extensions import override

from ..errors import ConfigError, MissingExtraError, VeriloopError
from ..events import WorkerLost
from ..store.atomic import storage_errors
from ._retry import TRIES, tell_lost
from .base import Executor, Item, Result

Positive = Annotated[int, Field(gt=0)]

BEAT = 20.0
"""Seconds between two signs of life of the run. Jobs end when they have missed fifteen."""

_MISSED = 15
"""So many, because nodes may see a shared file as it was a minute ago."""


class Slurm(Executor, frozen=True):
    """Jobs of a Slurm cluster: each computes a few items and ends. Run it where ``sbatch`` can be called.

    All nodes need this Python environment, and see the run folder and ``folder`` under the same paths. A job
    that is lost (killed, preempted, out of memory or of time) is submitted again, three times before that is
    an error. When the run ends before its jobs do, they are cancelled; when it is killed, they notice within
    minutes.

    Attributes:
        cluster: ``local`` takes processes of this machine for jobs, to try a plan out.
        folder: Where jobs find what they read and leave their results, in a folder for each call. What lost
            jobs have logged stays in it.
        workers: The most jobs submitted at a time, waiting ones included.
        per_job: How many items a job computes. It takes seconds to begin: let it compute for minutes.
        partition: Slurm's default when None.
        time: Minutes that a job may take.
        memory: Of a job, such as ``4GB``; Slurm's default when None.
        cpus: Cores of a job.
        gpus: GPUs of a job.
        options: Further options of ``sbatch``, such as ``{account: physics, qos: long}``.
    """

    cluster: Literal["slurm", "local"] = "slurm"
    folder: Path = Path("slurm-jobs")
    workers: Positive = 32
    per_job: Positive = 1
    partition: str | None = None
    time: Positive = 60
    memory: Annotated[ByteSize, Field(ge=50_000_000)] | None = None
    cpus: Positive = 1
    gpus: Annotated[int, Field(ge=0)] = 0
    options: Mapping[str, str | int] = {}

    @override
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        source, running = iter(items), deque[_Submitted]()
        with _folder(self.folder.absolute()) as folder:
            submitit = self._submitit(folder)
            order = _sent(function, shared, folder)
            try:
                while True:
                    while len(running) < self.workers and (some := list(islice(source, self.per_job))):
                        running.append(_Submitted(some, _submit(submitit, order, some)))
                    if not running:
                        return
                    results = _results(running[0].job)
                    if results is None:
                        running[0] = self._again(running[0], submitit, order)
                        continue
                    running.popleft()
                    for result in map(pickle.loads, results):
                        if isinstance(result, _Raised):
                            raise result.error
                        yield result
            finally:
                # After an error, an interruption or an early end nobody wants what is still under way.
                self._cancel([submitted.job for submitted in running])

    def _submitit(self, folder: Path) -> Any:
        try:
            import submitit
        except ImportError as e:
            raise MissingExtraError.of("submitit", "slurm") from e
        try:
            executor = submitit.AutoExecutor(folder, cluster=self.cluster)
        except RuntimeError as e:
            raise ConfigError(
                "there is no Slurm here: srun is not to be found",
                fix="run this where jobs can be submitted, or try it out with cluster: local",
            ) from e
        executor.update_parameters(
            name="veriloop",
            timeout_min=self.time,
            cpus_per_task=self.cpus,
            gpus_per_node=self.gpus or None,
            mem_gb=self.memory and self.memory / 2**30,
            slurm_partition=self.partition,
            slurm_additional_parameters=dict(self.options),
        )
        return executor

    def _again(self, lost: "_Submitted", submitit: Any, order: "_Order") -> "_Submitted":
        """Submit a lost job's items again.

        Raises:
            VeriloopError: They have been tried often enough.
        """
        job = lost.job
        what = f"Slurm job {job.job_id} ended without a result ({job.state})"
        if lost.tries == TRIES:
            raise VeriloopError(
                f"{what}, and so did those that tried its work before, {TRIES} times",
                fix=f"read what it has logged, {job.paths.stderr}; it may need more memory or time, or less "
                "work: a smaller per_job or chunk_size",
            )
        tell_lost(WorkerLost(what=what, try_=lost.tries + 1))
        return _Submitted(lost.items, _submit(submitit, order, lost.items), lost.tries + 1)

    def _cancel(self, jobs: list[Any]) -> None:
        for job in jobs:
            job.cancel(check=False)
        for job in jobs if self.cluster == "local" else ():
            while not job.done():
                time.sleep(0.02)


class _Submitted(NamedTuple):
    """A job under way, and how often its items have been tried before."""

    items: list[Any]
    job: Any
    tries: int = 0


class _Order(NamedTuple):
    """What all jobs of a call are given.

    Attributes:
        sent: The file of what their items have in common.
        alive: The file that the run touches as long as it lives.
        beat: How often it does, in seconds.
    """

    sent: Path
    alive: Path
    beat: float


class _Raised(NamedTuple):
    """What the function raised on an item; the items after it are not computed."""

    error: Exception


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """A folder of one call, and a sign of life in it."""
    folder, ended = parent / uuid.uuid4().hex, threading.Event()
    with storage_errors(folder):
        folder.mkdir(parents=True)
        (folder / "alive").touch()

    def beat() -> None:
        while not ended.wait(BEAT):
            with suppress(OSError):
                (folder / "alive").touch()

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield folder
    finally:
        ended.set()
        thread.join()
        for path in folder.iterdir():
            if path.suffix not in {".err", ".out"}:
                path.unlink(missing_ok=True)
        for empty in (folder, parent):
            with suppress(OSError):
                empty.rmdir()


def _sent(function: Callable[..., Any], shared: Any, folder: Path) -> _Order:
    import cloudpickle

    with storage_errors(folder), (folder / "shared.pkl").open("wb") as file:
        cloudpickle.dump((function, shared), file)
    return _Order(folder / "shared.pkl", folder / "alive", BEAT)


def _submit(submitit: Any, order: _Order, items: list[Any]) -> Any:
    from submitit.core.utils import FailedJobError

    try:
        with redirect_stderr(io.StringIO()):  # where submitit prints what the error says
            return submitit.submit(_compute, order, items)
    except FailedJobError as e:
        raise ConfigError("sbatch refuses a job", got=str(e).strip().splitlines()[-1]) from e


def _results(job: Any) -> list[bytes] | None:
    """What a job leaves, when it has ended: each result pickled, an error last. None if it leaves nothing."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    pause = 0.02
    while not job.done():
        time.sleep(pause)
        pause = min(1.0, 1.5 * pause)
    try:
        results = job.result()
    except FailedJobError as e:
        log = job.paths.stderr
        raise VeriloopError(f"Slurm job {job.job_id} could not begin", fix=f"read its log, {log}") from e
    except UncompletedJobError:
        return None
    for path in job.paths.folder.glob(f"{job.job_id}_*"):
        path.unlink(missing_ok=True)
    return results


# -- in a job --------------------------------------------------------------------------------------------


def _compute(order: _Order, items: list[Any]) -> list[bytes]:
    import cloudpickle
    from submitit import JobEnvironment

    # Not submitit's handlers, which would raise in the middle of the function when the time is up: a job that
    # is ended is lost, whatever ended it, and tried again from its beginning.
    for name in ("SIGTERM", f"SIG{JobEnvironment.USR_SIG}"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    threading.Thread(target=_end_without, args=(order.alive, order.beat), daemon=True).start()
    results: list[bytes] = []
    try:
        function, shared = pickle.loads(order.sent.read_bytes())
        for item in items:
            results.append(cloudpickle.dumps(function(shared, item)))
    except Exception as e:
        e.add_note(traceback.format_exc())
        results.append(cloudpickle.dumps(_Raised(e)))
    return results


def _end_without(alive: Path, beat: float) -> None:
    """End this job when the run is over, or has given no sign of life for long."""
    seen, since = None, time.monotonic()
    while time.monotonic() - since < _MISSED * beat:
        time.sleep(beat)
        try:
            now = alive.stat().st_mtime_ns
        except FileNotFoundError:
            break
        except OSError:
            continue
        if now != seen:
            seen, since = now, time.monotonic()
    os._exit(1)
