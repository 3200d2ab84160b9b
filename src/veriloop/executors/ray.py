"""Machines of a Ray cluster. Ray is imported in this file only, and only when it is used."""

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

from ..errors import ConfigError, MissingExtraError, VeriloopError
from ..events import WorkerLost
from ..parts import require
from ..schema import Schema
from ._retry import TRIES, tell_lost
from .base import Executor, Item, Result


class Ray(Executor, frozen=True):
    """Tasks on a Ray cluster: the cores of this machine, or a cluster that is running already.

    All nodes need this Python environment and see the run folder under the same path. A task whose node dies
    is computed again elsewhere. What tasks print is in Ray's own logs. When a task fails, those in flight run
    to their end, or to that of this process.

    A process has one connection to Ray. One made by the program (``ray.init``) is used as it is, whatever the
    ``address``. One made here stays for the next call and ends with the process, which stops a local cluster
    and no other.

    Attributes:
        address: ``local`` starts a cluster on this machine, ``auto`` joins the one that runs on it or that
            ``RAY_ADDRESS`` names, ``host:port`` joins that one.
        workers: The most tasks in flight; two for each core of the cluster when None, so that no core waits.
        cpus: Cores reserved for each task.
        gpus: GPUs reserved for each task.
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
        require("ray", "ray")

    @override
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        ray = self._connected()
        task = _task().options(num_cpus=self.cpus, num_gpus=self.gpus, max_retries=0)
        # Pickled here, because arrays that Ray itself passes on are read-only views which pin its store.
        content = ray.cloudpickle.dumps((Path.cwd(), function, shared))
        digest = hashlib.sha256(content).hexdigest()
        # In a list, so that Ray passes on where it is, and a worker that has it does not fetch it again.
        job = [ray.put(content)]
        del content

        def submit(item: bytes) -> Any:
            return task.remote(job, digest, item)

        waiting = iter(items)
        running: deque[tuple[bytes, Any]] = deque()
        while True:
            # Asked for each time, because nodes come and go.
            room = self.workers or 2 * max(1, int(ray.cluster_resources().get("CPU", 0)))
            for item in islice(waiting, max(0, room - len(running))):
                content = ray.cloudpickle.dumps(item)
                running.append((content, submit(content)))
            if not running:
                return
            # Whoever stops asking leaves the rest to finish. To cancel a task that is just ending aborts this
            # process (Ray 2.60: "Tried to complete task that was not pending").
            yield _result(ray, *running.popleft(), submit)

    def _connected(self) -> Any:
        """Ray, with this process connected to a cluster."""
        try:
            import ray
        except ImportError as e:
            raise MissingExtraError.of("ray", "ray") from e
        if not ray.is_initialized():
            self._connect(ray)
        here = ray.get_runtime_context().gcs_address
        if _asked_for.get(here, self.address) != self.address:
            raise ConfigError(
                f"this process is connected to the Ray cluster {_asked_for[here]!r} already",
                got=self.address,
                fix="use one address per process, or call ray.shutdown() in between",
            )
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(node.get("CPU", 0) >= self.cpus and node.get("GPU", 0) >= self.gpus for node in nodes):
            # Ray would wait for such a node without end.
            raise ConfigError(
                "executor",
                got=repr(self),
                expected="no more cpus and gpus than one of the cluster's nodes has",
            )
        return ray

    def _connect(self, ray: Any) -> None:
        try:
            if ":" in self.address:
                # Ray itself would try for more than five minutes.
                host, _, port = self.address.rpartition(":")
                socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
            ray.init(
                address=self.address,
                include_dashboard=False,
                logging_level=logging.CRITICAL,
                log_to_driver=False,
            )
        except Exception as e:  # Ray documents none of the many types it raises here
            raise ConfigError(
                f"cannot connect to the Ray cluster {self.address!r} ({type(e).__name__}: {e})",
                fix="check that it is running (ray status) and, if it wants tokens, set RAY_AUTH_MODE=token; "
                "or use address: local",
            ) from e
        _asked_for[ray.get_runtime_context().gcs_address] = self.address


_asked_for: dict[str, str] = {}
"""The ``address`` for which a connection was made here, by the address Ray gives it."""


@cache
def _task() -> Any:
    # Once per process: Ray warns when one function is registered over and over.
    import ray

    return ray.remote(_call)


_received: tuple[str, Any] | None = None
"""In a worker: the digest of what was sent last, and what it was."""


def _call(job: list[Any], digest: str, item: bytes) -> bytes:
    import ray.cloudpickle

    global _received
    if _received is None or _received[0] != digest:
        _received = None  # first, so that never two of them are in memory
        _received = (digest, pickle.loads(ray.get(job[0])))
    directory, function, shared = _received[1]
    # A relative path means the same here as where the map was called, if there is such a directory here.
    with suppress(OSError):
        os.chdir(directory)
    result = function(shared, pickle.loads(item))
    return ray.cloudpickle.dumps(result)  # pyright: ignore[reportPrivateImportUsage]


def _result(ray: Any, item: bytes, running: Any, submit: Callable[[bytes], Any]) -> Any:
    """What a task gave. One that was lost is tried again here: Ray would do it without a word."""
    for lost in count(1):
        try:
            return pickle.loads(ray.get(running))
        except ray.exceptions.RayTaskError as e:
            raise e.cause from e  # which shows the worker's traceback
        except ray.exceptions.RayError as e:
            why = type(e).__name__
            if lost > TRIES:
                raise VeriloopError(
                    f"the Ray cluster lost a task and did not get it done in {TRIES + 1} attempts",
                    got=why,
                    fix="look into Ray's logs; a task that needs too much memory kills its worker each time",
                ) from e
            tell_lost(WorkerLost(what=f"the Ray cluster lost a task ({why})", try_=lost))
        running = submit(item)
    raise AssertionError("never reached: the loop has no end")
