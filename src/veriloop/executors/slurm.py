"""Run items as jobs of a Slurm cluster, with submitit. Only this file imports submitit, when it is used."""

import io
import pickle
import shutil
import subprocess
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, suppress
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ByteSize, Field
from typing_extensions import override

from ..errors import ConfigError, VeriloopError
from ..events import WorkerLost
from ..extras import require
from ..schema import Schema
from ..store.atomic import storage_errors
from ._retry import TRIES, tell_lost
from ._slurm_job import Order, Raised, compute
from .base import Executor, Item, Result

Positive = Annotated[int, Field(gt=0)]

BEAT = 20.0
"""Seconds between two heartbeats of the run. Jobs end after fifteen missed ones."""

ASK = 15.0
"""Seconds of waiting for a result after which Slurm is asked whether the job still exists."""

GRACE = 15.0
"""Seconds that a result may take to become visible here, after its job has ended on another node."""

_ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED"),
    *("NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
}
"""States of jobs that will not continue."""


class Slurm(Executor, frozen=True):
    """Runs items in jobs of a Slurm cluster: each computes a few items and ends. Needs ``sbatch``.

    All nodes need this Python environment, and must see the run folder and ``folder`` under the same paths. A
    lost job (killed, preempted, out of memory or time) is submitted again, up to three times before an error.
    When the run ends before its jobs, they are cancelled; when it is killed, they end within minutes.

    Attributes:
        cluster: ``slurm``, or ``local`` to run jobs as processes on this machine and try a plan.
        folder: Folder where jobs find their input and leave their results, with a sub-folder per call. Logs
            of lost jobs stay in it.
        workers: Largest number of submitted jobs at a time, including waiting ones.
        per_job: Number of items per job. A job takes seconds to start, so give it minutes of work.
        partition: Name of the partition; Slurm's default when None.
        time: Time limit of a job in minutes.
        memory: Memory of a job, such as ``4GB``; Slurm's default when None.
        cpus: Number of cores of a job.
        gpus: Number of GPUs of a job.
        options: More options of ``sbatch``, such as ``{account: physics, qos: long}``.
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
    def check_ahead(self, schema: Schema) -> None:
        self._check_here()

    def _check_here(self) -> None:
        require("submitit")
        if self.cluster == "slurm" and not all(map(shutil.which, ("sbatch", "srun", "squeue", "scancel"))):
            raise ConfigError(
                "Slurm is not available: sbatch, srun, squeue and scancel are not all on the path",
                fix="run this where jobs can be submitted, or try it out with cluster: local",
            )

    @override
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        self._check_here()
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
                    if state := self._lost(running[0].job):
                        running[0] = _again(running[0], state, submitit, order)
                        continue
                    for result in map(pickle.loads, _taken(running.popleft().job)):
                        if isinstance(result, Raised):
                            raise result.error
                        yield result
            finally:
                # After an error, an interrupt or an early end, unfinished work is not needed.
                self._cancel([submitted.job for submitted in running])

    def _submitit(self, folder: Path) -> Any:
        import submitit

        executor = submitit.AutoExecutor(folder, cluster=self.cluster)
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

    def _lost(self, job: Any) -> str | None:
        """Wait for a job's result; return the state if the job ended without one, else None."""
        local = self.cluster == "local"
        pause, asked, state = 0.02, time.monotonic(), None
        while not _seen(job):
            time.sleep(pause)
            pause = min(1.0, 1.5 * pause)
            if state is None and (local or time.monotonic() > asked + ASK):
                asked, state = time.monotonic(), _ended(job, local)
            elif state is not None and time.monotonic() > asked + GRACE:
                return state
        while local and not job.done():
            time.sleep(0.02)
        return None

    def _cancel(self, jobs: list[Any]) -> None:
        if self.cluster == "slurm":
            for job in jobs:
                job.cancel(check=False)
            return
        for job in jobs:
            # Not with SIGINT, as submitit does: a job of a background run inherits that SIGINT is ignored.
            job._process.terminate()
        for job in jobs:
            while not job.done():
                time.sleep(0.02)


class _Submitted(NamedTuple):
    """A job in progress, and how often its items have been tried before."""

    items: list[Any]
    job: Any
    tries: int = 0


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """Yield a folder for one call, with a heartbeat file in it."""
    folder, ours, ended = parent / uuid.uuid4().hex, not parent.exists(), threading.Event()
    with storage_errors(folder):
        folder.mkdir(parents=True)
        (folder / "alive").touch()

    def beat() -> None:
        """Touch the heartbeat file every `BEAT` seconds until the call ends."""
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
        for empty in (folder, parent) if ours else (folder,):
            with suppress(OSError):
                empty.rmdir()


def _sent(function: Callable[..., Any], shared: Any, folder: Path) -> Order:
    import cloudpickle

    with storage_errors(folder), (folder / "shared.pkl").open("wb") as file:
        cloudpickle.dump((function, shared), file)
    return Order(folder / "shared.pkl", folder / "alive", BEAT)


def _submit(submitit: Any, order: Order, items: list[Any]) -> Any:
    from submitit.core.utils import FailedJobError

    try:
        with redirect_stderr(io.StringIO()):  # submitit prints the error's message there
            return submitit.submit(compute, order, items)
    except FailedJobError as e:
        raise ConfigError("sbatch refuses a job", got=str(e).strip().partition("\n")[0]) from e


def _again(lost: _Submitted, state: str, submitit: Any, order: Order) -> _Submitted:
    """Submit a lost job's items again.

    Raises:
        VeriloopError: They have been tried often enough.
    """
    what = f"Slurm job {lost.job.job_id} ended without a result ({state})"
    if lost.tries == TRIES:
        raise VeriloopError(
            f"{what}, and so did those that tried its work before, {TRIES} times",
            fix=f"read its log, {lost.job.paths.stderr}; it may need more memory or time, or less "
            "work: a smaller per_job or chunk_size",
        )
    tell_lost(WorkerLost(what=what, try_=lost.tries + 1))
    return _Submitted(lost.items, _submit(submitit, order, lost.items), lost.tries + 1)


def _seen(job: Any) -> bool:
    """Whether a job's result is visible."""
    folder = job.paths.folder
    with suppress(OSError):
        # Otherwise a network file system may answer from its cache that it is missing.
        folder.chmod(folder.stat().st_mode)
    return job.paths.result_pickle.exists()


def _ended(job: Any, local: bool) -> str | None:
    """Return the state in which a job ended; None if it has not, or if Slurm does not answer.

    Not with submitit, which queries the accounting database, and not every cluster has one.
    """
    if local:
        return job.state if job.done() else None
    command = ["squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job.job_id]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Invalid job id" in asked.stderr:
        return "forgotten by Slurm"  # five minutes after the end of a job
    state = asked.stdout.strip()
    return state if state in _ENDED else None


def _taken(job: Any) -> list[bytes]:
    """Read and remove a job's results: each one pickled, an error last."""
    from submitit.core.utils import FailedJobError

    try:
        results = job.result()
    except FailedJobError as e:
        log = job.paths.stderr
        raise VeriloopError(f"Slurm job {job.job_id} could not start", fix=f"read its log, {log}") from e
    for path in job.paths.folder.glob(f"{job.job_id}_*"):
        path.unlink(missing_ok=True)
    return results
