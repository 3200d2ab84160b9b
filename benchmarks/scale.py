"""Many candidates: memory, disk, whether the last ones cost what the first ones did, and what a kill costs.

    python benchmarks/scale.py [--candidates 10000000] [--kill] [--ray] [--out results/scale.json]

One round of one verified arm on the digits by the ordinary loop: a CVAE makes candidates, a discriminator
scores them, the best hundredth of each digit is kept and trained on, on two worker processes. With
``--folder`` the run stays there, and goes on there when it is started again after a kill.

``--kill`` kills such a run of a million half-way, and goes on. ``--ray`` makes 400,000 on a cluster of three
nodes of this machine, of which one is killed in the middle of the round, and compares every file with that of
a serial run. Linux only.
"""

import argparse
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from veriloop.comparison.results import write_results
from veriloop.config import plan_from
from veriloop.errors import RunFolderError
from veriloop.events import ChunkStored, Progress, StageStarted
from veriloop.executors.serial import Serial
from veriloop.executors.threads import limit_threads
from veriloop.loop import Plan, run
from veriloop.store.chunks import UNDER_WAY, chunk_of
from veriloop.store.folder import RunFolder

FRACTION = 0.01
CHUNK = 20_000
STRETCHES = 10
PROCESS = {"kind": "process", "workers": 2}


def plan_of(candidates: int, executor: dict[str, Any]) -> Plan:
    """One round that makes ``candidates`` and keeps a hundredth of them."""
    return plan_from(
        {
            "rounds": 1,
            "dataset": {"kind": "digits", "start": 200},
            "learner": {
                "kind": "cvae",
                "latent_dim": 3,
                "channels": [16, 32],
                "kernel": 2,
                "epochs": 2,
                "min_steps": 1_000,
                "batch_size": 64,
                "learning_rate": 5e-3,
                "patience": None,
            },
            "verifier": {"kind": "discriminator", "refit": "once", "hidden": [128, 64]},
            "acceptance": {"kind": "top_fraction", "fraction": FRACTION},
            "balance": "label",
            "schedule": {"kind": "constant", "n": round(candidates * FRACTION)},
            "arms": ["verified"],
            "metrics": ["frechet"],
            "chunk_size": CHUNK,
            "parallel": "chunks",
            "executor": executor,
        }
    )


class Moment(NamedTuple):
    """How many candidates there were, at which second, and what they had cost: processor seconds."""

    generated: int
    at: float
    parent: float
    workers: float


class Meter:
    """Looks at this process, its workers and the run folder twice a second.

    Attributes:
        peaks: The most memory that each process has had, in bytes, by what it is.
        disk: The most bytes that the run folder has had.
        moments: At reports of progress.
    """

    def __init__(self, folder: Path) -> None:
        self.peaks: dict[str, int] = {}
        self.disk = 0
        self.moments: list[Moment] = []
        self._folder, self._read = RunFolder(folder), 0
        self._spent: dict[int, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.5):
            self._look()
        self._look()

    def _look(self) -> None:
        workers = _workers()
        for number, pid in enumerate([os.getpid(), *workers]):
            name = f"worker {number}" if number else "parent"
            self.peaks[name] = max(self.peaks.get(name, 0), _peak_bytes(pid))
        self.disk = max(self.disk, _bytes_below(self._folder.path))
        events, self._read = self._folder.events(self._read)
        if progress := [event for event in events if isinstance(event, Progress)]:
            self._spent |= {pid: _processor_seconds(pid) for pid in workers}
            spent = time.process_time(), sum(self._spent.values())
            self.moments.append(Moment(progress[-1].generated, progress[-1].at, *spent))

    def stretches(self) -> list[dict[str, float]]:
        """Of each tenth of the candidates: how many a second, and microseconds of processor for each."""
        generated, *seen = np.array(self.moments, float).T
        edges = np.linspace(generated[0], generated[-1], STRETCHES + 1)
        wall, parent, workers = (np.diff(np.interp(edges, generated, column)) for column in seen)
        each = edges[1] - edges[0]
        return [
            {"per_second": round(each / w), "parent_us": _us(p, each), "workers_us": _us(c, each)}
            for w, p, c in zip(wall, parent, workers, strict=True)
        ]


def _us(seconds: float, candidates: float) -> float:
    return round(1e6 * seconds / candidates, 2)


def _workers() -> list[int]:
    """The workers of the pool, in the order in which they began."""
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        try:
            if any("popen_loky" in word for word in child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue
    return [child.pid for child in sorted(found, key=lambda child: child.pid)]


def _processor_seconds(pid: int) -> float:
    try:
        times = psutil.Process(pid).cpu_times()
    except psutil.Error:
        return 0.0
    return times.user + times.system


def _peak_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


def _bytes_below(folder: Path) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(path) / name).stat().st_size
            except OSError:  # renamed or removed as we look
                continue
    return total


def on_two_processes(candidates: int, folder: Path) -> dict[str, Any]:
    """A run on two worker processes, or the rest of one."""
    found = chunks_in(folder)
    began = time.perf_counter()
    with Meter(folder) as meter:
        done = run(plan_of(candidates, PROCESS), folder, resume="if-possible")
    if not meter.moments:
        raise RunFolderError(f"the run in {folder} is over", fix="measure in another --folder")
    record, stretches = done.records()[-1], meter.stretches()
    first, second, *_, last = (s["parent_us"] + s["workers_us"] for s in stretches)
    return {
        "candidates": record.counts.generated,
        "kept": record.counts.kept,
        "chunks_found": found,
        "seconds": round(time.perf_counter() - began, 1),
        "seconds_of_the_round": {name: round(seconds, 1) for name, seconds in record.seconds.items()},
        "peak_gb": {name: round(peak / 1e9, 3) for name, peak in meter.peaks.items()},
        "peak_disk_mb": round(meter.disk / 1e6, 1),
        "disk_mb_in_the_end": round(_bytes_below(folder) / 1e6, 1),
        "stretches": stretches,
        "processor_last_over_first": round(last / first, 2),
        "processor_last_over_second": round(last / second, 2),
    }


def chunks_in(folder: Path) -> int:
    """How many finished chunks a round under way has on disk."""
    return sum(chunk_of(path) is not None for path in folder.glob(f"round_1/*{UNDER_WAY}/*"))


class Weighing(Serial, frozen=True):
    """As pools do it: everything goes by pickle, and is weighed."""

    def map(self, function: Callable, items: Iterable, shared: Any = None) -> Iterator:
        """See `Executor`."""
        sent = pickle.dumps((function, shared))
        WEIGHED["once_bytes"] = len(sent)
        function, shared = pickle.loads(sent)
        for item in items:
            result = pickle.dumps(function(shared, item))
            WEIGHED["for_a_chunk_bytes"] = len(pickle.dumps(item))
            WEIGHED["back_for_a_candidate_bytes"] = round(len(result) / CHUNK, 2)
            yield pickle.loads(result)


WEIGHED: dict[str, float] = {}


def what_is_sent(candidates: int = 5 * CHUNK) -> dict[str, Any]:
    """Bytes to a worker, once and for each chunk, and back for each candidate."""
    run(plan_of(candidates, PROCESS).model_copy(update={"executor": Weighing()}), None)
    return WEIGHED


def after_a_kill(candidates: int = 1_000_000) -> dict[str, Any]:
    """A run that is killed when half of its chunks are done, and goes on."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "run"
        command = [sys.executable, __file__, "--candidates", str(candidates), "--folder", str(folder)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while chunks_in(folder) < candidates / CHUNK / 2:
            if process.poll() is not None:
                raise RunFolderError("the run to be killed was over before it was")
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        found, (_, read) = chunks_in(folder), RunFolder(folder).events()
        on_two_processes(candidates, folder)
        events = RunFolder(folder).events(read)[0]
        began = next(e.at for e in events if isinstance(e, StageStarted) and e.stage == "generate")
        made = [event for event in events if isinstance(event, ChunkStored)]
        return {
            "chunks": candidates // CHUNK,
            "found": found,
            "made_after_it": len(made),
            "seconds_until_the_first_new_one": round(made[0].at - began, 2),
        }


def on_ray(candidates: int = 400_000) -> dict[str, Any]:
    """Three nodes, of which one is killed when a third of the chunks are done; and a serial run."""
    import ray
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 100_000_000, "include_dashboard": False}
    with tempfile.TemporaryDirectory(prefix="ray-") as scratch:
        os.environ |= {"RAY_TMPDIR": scratch, "RAY_USAGE_STATS_ENABLED": "0"}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        nodes = [cluster.add_node(**node) for _ in range(2)]
        spread, serial = Path(scratch) / "spread", Path(scratch) / "serial"
        killed: list[int] = []

        def kill() -> None:
            while (done := chunks_in(spread)) < candidates / CHUNK / 3:
                time.sleep(0.02)
            cluster.remove_node(nodes[0], allow_graceful=False)
            killed.append(done)

        killing = threading.Thread(target=kill, daemon=True)
        killing.start()
        try:
            began = time.perf_counter()
            run(plan_of(candidates, {"kind": "ray", "address": cluster.address}), spread)
            seconds = time.perf_counter() - began
        finally:
            ray.shutdown()
            cluster.shutdown()
        killing.join(timeout=60)
        run(plan_of(candidates, {"kind": "serial"}), serial)
        return {
            "candidates": candidates,
            "nodes": 3,
            "killed_after_chunks": killed[0],
            "of_chunks": candidates // CHUNK,
            "seconds": round(seconds, 1),
            "equal_bits": _content(spread) == _content(serial),
        }


def _content(folder: Path) -> tuple[list[Any], dict[str, bytes]]:
    records = [record.model_copy(update={"seconds": {}}) for record in RunFolder(folder).records()]
    files = [path for path in folder.glob("round_*/**/*") if path.is_file()]
    return records, {str(path.relative_to(folder)): path.read_bytes() for path in files}


def misses(found: dict[str, dict[str, Any]]) -> list[str]:
    """What is not as it should be."""
    processes, kill, nodes = found["two_processes"], found.get("kill"), found.get("ray")
    flat = max(processes["processor_last_over_first"], processes["processor_last_over_second"])
    checks = {
        "a process took 2 GB": max(processes["peak_gb"].values()) < 2,
        "the disk took 20 bytes for a candidate": processes["peak_disk_mb"]
        < 20e-6 * processes["candidates"] + 5,
        "the last tenth cost 1.3 times the first or the second": flat < 1.3 or processes["chunks_found"],
        "a kill cost a finished chunk": not kill or kill["found"] + kill["made_after_it"] == kill["chunks"],
        "a killed node changed bits": not nodes or nodes["equal_bits"],
    }
    return [what for what, holds in checks.items() if not holds]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the run is; a temporary one by default")
    parser.add_argument("--kill", action="store_true")
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    arguments = parser.parse_args()
    began = time.perf_counter()
    with limit_threads(1), tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch) / "run"
        found = {"two_processes": on_two_processes(arguments.candidates, folder), "sent": what_is_sent()}
        if arguments.kill:
            found["kill"] = after_a_kill()
        if arguments.ray:
            found["ray"] = on_ray()
    print(json.dumps(found, indent=1))
    missed = misses(found)
    for what in missed:
        print(f"MISSED: {what}")
    if arguments.out:
        command = f"python benchmarks/scale.py {' '.join(sys.argv[1:])}"
        write_results(arguments.out, command, time.perf_counter() - began, [], figures=found, missed=missed)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
