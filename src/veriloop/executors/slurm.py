"""Jobs of a Slurm cluster, by submitit, which is imported in this file only, and only when it is used."""

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
from ..parts import require
from ..schema import Schema
from ..store.atomic import storage_errors
from ._retry import TRIES, tell_lost
from ._slurm_job import Order, Raised, compute
from .base import Executor, Item, Result

Positive = Annotated[int, Field(gt=0)]

BEAT = 20.0
"""Seconds between two signs of life of the run. Jobs end when they have missed fifteen."""

ASK = 15.0
"""Seconds of waiting for a result after which Slurm is asked whether the job is still there."""

GRACE = 15.0
"""Seconds that a result may take to be seen here, after its job has ended on another node."""

_ENDED = {
    *("BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED"),
    *("NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"),
}
"""The states of jobs that will not go on."""


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
    def check_ahead(self, schema: Schema) -> None:
        self._check_here()

    def _check_here(self) -> None:
        require("slurm", "submitit")
        if self.cluster == "slurm" and not all(map(shutil.which, ("sbatch", "srun", "squeue", "scancel"))):
            raise ConfigError(
                "there is no Slurm here: sbatch, srun, squeue and scancel are not all on the path",
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
                # After an error, an interruption or an early end nobody wants what is still under way.
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
        """Wait for a job's result; the state in which the job has ended without one, or None."""
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
            # Not by SIGINT, as submitit would: a job of a run in the background inherits that it is ignored.
            job._process.terminate()
        for job in jobs:
            while not job.done():
                time.sleep(0.02)


class _Submitted(NamedTuple):
    """A job under way, and how often its items have been tried before."""

    items: list[Any]
    job: Any
    tries: int = 0


@contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """A folder of one call, and a sign of life in it."""
    folder, ours, ended = parent / uuid.uuid4().hex, not parent.exists(), threading.Event()
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
        with redirect_stderr(io.StringIO()):  # where submitit prints what the error says
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
            fix=f"read what it has logged, {lost.job.paths.stderr}; it may need more memory or time, or less "
            "work: a smaller per_job or chunk_size",
        )
    tell_lost(WorkerLost(what=what, try_=lost.tries + 1))
    return _Submitted(lost.items, _submit(submitit, order, lost.items), lost.tries + 1)


def _seen(job: Any) -> bool:
    """Whether a job's result is there."""
    folder = job.paths.folder
    with suppress(OSError):
        # Otherwise a network's file system may answer from memory that it is not.
        folder.chmod(folder.stat().st_mode)
    return job.paths.result_pickle.exists()


def _ended(job: Any, local: bool) -> str | None:
    """The state in which a job has ended; None where it has not, or Slurm does not answer.

    Not by submitit, which asks the accounting: not every cluster has one.
    """
    if local:
        return job.state if job.done() else None
    command = ["squeue", "--noheader", "--states=all", "--format=%T", "--jobs", job.job_id]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if "Invalid job id" in asked.stderr:
        return "forgotten by Slurm"  # which it does five minutes after the end of a job
    state = asked.stdout.strip()
    return state if state in _ENDED else None


def _taken(job: Any) -> list[bytes]:
    """What a job has left: each result pickled, or an error last. Its files are removed."""
    from submitit.core.utils import FailedJobError

    try:
        results = job.result()
    except FailedJobError as e:
        log = job.paths.stderr
        raise VeriloopError(f"Slurm job {job.job_id} could not begin", fix=f"read its log, {log}") from e
    for path in job.paths.folder.glob(f"{job.job_id}_*"):
        path.unlink(missing_ok=True)
    return results
