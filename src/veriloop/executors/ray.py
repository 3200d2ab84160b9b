"""Run items on a Ray cluster. Only this file imports Ray, and only when it is used."""

import hashlib
import logging
import os
import pickle
import re
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator
from typing_extensions import override

from ..errors import ConfigError, VeriloopError
from ..events import WorkerLost
from ..extras import require
from ..schema import Schema
from ._retry import TRIES, tell_lost
from .base import Executor, Item, Result


class Ray(Executor, frozen=True):
    """Runs items as tasks of a Ray cluster: on this machine, or on a cluster that is already running.

    All nodes need this Python environment and must see the run folder under the same path. A task whose node
    dies is computed again elsewhere. Output of tasks goes to Ray's logs. When a task fails, running tasks
    continue until they end or this process ends.

    A process has one connection to Ray. A connection made by the program (``ray.init``) is used as it is,
    whatever the ``address``. A connection made here is reused by later calls and closed with the process,
    which stops a local cluster but no other.

    Attributes:
        address: ``local`` starts a cluster on this machine, ``auto`` joins the one running on it or named by
            ``RAY_ADDRESS``, ``host:port`` joins that one.
        workers: Largest number of tasks at a time; two per core of the cluster when None, so that no core
            waits.
        cpus: Number of cores reserved for each task.
        gpus: Number of GPUs reserved for each task.
    """

    address: str = "local"
    workers: Annotated[int, Field(gt=0)] | None = None
    cpus: Annotated[float, Field(ge=0)] = 1
    gpus: Annotated[float, Field(ge=0)] = 0

    @field_validator("address")
    @classmethod
    def _known_form(cls, address: str) -> str:
        if address not in {"local", "auto"} and not re.fullmatch(r"[^\s/]+:\d+", address):
            raise ConfigError("a Ray cluster's address", got=address, expected="local, auto or host:port")
        return address

    @override
    def check_ahead(self, schema: Schema) -> None:
        require("ray")

    @override
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        ray = self._connected()
        task = _task().options(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)
        # Pickled here, because arrays passed by Ray itself are read-only views that pin its store.
        content = ray.cloudpickle.dumps((Path.cwd(), function, shared))
        digest = hashlib.sha256(content).hexdigest()
        # In a list, so that Ray passes a reference, and a worker that has the data does not fetch them again.
        job = [ray.put(content)]
        del content

        def submit(item: bytes) -> Any:
            """Start the task of ``item``, a pickled item."""
            return task.remote(job, digest, item)

        waiting = iter(items)
        running: deque[tuple[bytes, Any]] = deque()
        while True:
            # Computed each time, because nodes come and go.
            room = self.workers or 2 * max(1, int(ray.cluster_resources().get("CPU", 0)))
            for item in islice(waiting, max(0, room - len(running))):
                content = ray.cloudpickle.dumps(item)
                running.append((content, submit(content)))
            if not running:
                return
            # If the caller stops early, remaining tasks run to their end. Cancelling a task that is just
            # ending aborts this process (Ray 2.60: "Tried to complete task that was not pending").
            yield _result(ray, *running.popleft(), submit)

    def _connected(self) -> Any:
        """Return Ray, with this process connected to a cluster."""
        require("ray")
        import ray

        if not ray.is_initialized():
            self._connect(ray)
        here = ray.get_runtime_context().gcs_address
        if _asked_for.get(here, self.address) != self.address:
            raise ConfigError(
                f"this process is already connected to the Ray cluster {_asked_for[here]!r}",
                got=self.address,
                fix="use one address per process, or call ray.shutdown() in between",
            )
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= self.gpus for node in nodes):
            # Ray would wait for such a node forever.
            raise ConfigError(
                "executor",
                got=repr(self),
                expected="no more cpus and gpus than one node of the cluster has",
            )
        return ray

    def _connect(self, ray: Any) -> None:
        try:
            if ":" in self.address:
                # Ray itself would retry for more than five minutes.
                host, _, port = self.address.rpartition(":")
                socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
            ray.init(
                address=self.address,
                include_dashboard=False,
                logging_level=logging.CRITICAL,
                log_to_driver=False,
            )
        except Exception as e:  # Ray does not document the types it raises here
            raise ConfigError(
                f"cannot connect to the Ray cluster {self.address!r} ({type(e).__name__}: {e})",
                fix="check that it is running (ray status) and, if it needs tokens, set RAY_AUTH_MODE=token; "
                "or use address: local",
            ) from e
        _asked_for[ray.get_runtime_context().gcs_address] = self.address


_asked_for: dict[str, str] = {}
"""The ``address`` of connections made here, by the address that Ray reports."""


@cache
def _task() -> Any:
    # Once per process, because Ray warns if a function is registered repeatedly.
    import ray

    return ray.remote(_call)


_received: tuple[str, Any] | None = None
"""In a worker: the digest and content of the data received last."""


def _call(job: list[Any], digest: str, item: bytes) -> bytes:
    import ray.cloudpickle

    global _received
    if _received is None or _received[0] != digest:
        _received = None  # first, so that two are never in memory
        _received = (digest, pickle.loads(ray.get(job[0])))
    directory, function, shared = _received[1]
    # A relative path means the same here as in the calling process, if the directory exists here.
    with suppress(OSError):
        os.chdir(directory)
    result = function(shared, pickle.loads(item))
    return ray.cloudpickle.dumps(result)  # pyright: ignore[reportPrivateImportUsage]


def _result(ray: Any, item: bytes, running: Any, submit: Callable[[bytes], Any]) -> Any:
    """Return the result of a task. A lost task is retried here, because Ray would retry silently."""
    for lost in count(1):
        try:
            return pickle.loads(ray.get(running))
        except ray.exceptions.RayTaskError as e:
            raise e.cause from e  # shows the worker's traceback
        except ray.exceptions.RayError as e:
            why = type(e).__name__
            if lost > TRIES:
                raise VeriloopError(
                    f"the Ray cluster lost a task in each of {TRIES + 1} attempts",
                    got=why,
                    fix="check Ray's logs; a task that needs too much memory kills its worker each time",
                ) from e
            tell_lost(WorkerLost(what=f"the Ray cluster lost a task ({why})", try_=lost))
        running = submit(item)
    raise AssertionError("never reached: the loop has no end")
