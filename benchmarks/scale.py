"""Many candidates on few processes: memory, disk, and whether the last ones cost what the first ones did.

    python benchmarks/scale.py [--candidates 10000000] [--ray] [--out runs/scale] [--json results/scale.json]

One round of one verified arm on the digits by the ordinary loop: a CVAE makes candidates, a discriminator
scores them, the best hundredth of each digit is kept and trained on. Two worker processes; a run folder,
so a killed benchmark goes on where it was when it is started again. ``--ray`` adds a cluster of three nodes on
this machine, of which one is killed in the middle of the round, and compares every file with a serial run's.
Linux only.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from veriloop.config import plan_from
from veriloop.events import Progress
from veriloop.executors.threads import limit_threads
from veriloop.loop import Plan, run
from veriloop.store.chunks import UNDER_WAY, chunk_of
from veriloop.store.folder import RunFolder

FRACTION = 0.01
STRETCHES = 10
GB = 1e9


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
            "chunk_size": 20_000,
            "parallel": "chunks",
            "executor": executor,
        }
    )


class Moment(NamedTuple):
    """How many candidates there were, after how many seconds, of the wall and of all our processors."""

    generated: int
    wall: float
    processor: float


class Meter:
    """Looks at this process, its workers and the run folder twice a second.

    Attributes:
        peaks: The most memory that each process has had, in bytes, by what it is.
        disk: The most bytes that the run folder has had.
        moments: At each report of progress.
    """

    def __init__(self, folder: Path) -> None:
        self.peaks: dict[str, int] = {}
        self.disk = 0
        self.moments: list[Moment] = []
        self._folder, self._read = RunFolder(folder), 0
        self._done, self._spent = threading.Event(), dict[int, float]()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Meter":
        self._thread.start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.5):
            self._look()
        self._look()

    def _look(self) -> None:
        for process in [psutil.Process(), *_children()]:
            name = "parent" if process.pid == os.getpid() else f"worker {process.pid}"
            self.peaks[name] = max(self.peaks.get(name, 0), _peak_bytes(process.pid))
        self.disk = max(self.disk, _bytes_below(self._folder.path))
        events, self._read = self._folder.events(self._read)
        progress = [event for event in events if isinstance(event, Progress)]
        if progress:
            self.moments.append(Moment(progress[-1].generated, progress[-1].at, self._processor()))

    def _processor(self) -> float:
        """Processor seconds of this process and all its workers, those that are gone included."""
        for process in [psutil.Process(), *_children()]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            self._spent[process.pid] = times.user + times.system
        return sum(self._spent.values())

    def rates(self) -> list[dict[str, float]]:
        """Of each tenth of the candidates: how many a second, and microseconds of processor for each."""
        generated, wall, processor = np.array(self.moments, float).T
        edges = np.linspace(generated[0], generated[-1], STRETCHES + 1)
        walls, spent = (np.diff(np.interp(edges, generated, of)) for of in (wall, processor))
        each = np.diff(edges)
        return [
            {"candidates": round(n), "per_second": round(n / w), "processor_us": round(1e6 * p / n, 3)}
            for n, w, p in zip(each, walls, spent, strict=True)
        ]


def _children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


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


def on_processes(candidates: int, out: Path) -> dict[str, Any]:
    """The run on two worker processes, measured."""
    found = sum(chunk_of(path) is not None for path in out.glob(f"round_1/*{UNDER_WAY}/*"))
    began = time.perf_counter()
    with Meter(out) as meter:
        folder = run(plan_of(candidates, {"kind": "process", "workers": 2}), out, resume="if-possible")
    record = folder.records()[-1]
    if not meter.moments:
        sys.exit(f"{out} holds a finished run: remove it to measure again")
    rates = meter.rates()
    measured = {
        "candidates": record.counts.generated,
        "kept": record.counts.kept,
        "found_chunks": found,
        "seconds": round(time.perf_counter() - began, 1),
        "round_seconds": {name: round(seconds, 1) for name, seconds in record.seconds.items()},
        "peak_gb": {name: round(peak / GB, 3) for name, peak in sorted(meter.peaks.items())},
        "peak_disk_mb": round(meter.disk / 1e6, 1),
        "final_disk_mb": round(_bytes_below(out) / 1e6, 1),
        "events_kb": round((out / "events.jsonl").stat().st_size / 1e3, 1),
        "rates": rates,
        "last_over_first_wall": round(rates[-1]["per_second"] / rates[0]["per_second"], 3),
        "last_over_first_processor": round(rates[0]["processor_us"] / rates[-1]["processor_us"], 3),
    }
    print(json.dumps(measured, indent=1))
    return measured


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=1_000_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with limit_threads(1):
        if arguments.out:
            on_processes(arguments.candidates, arguments.out)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                on_processes(arguments.candidates, Path(scratch) / "run")
