"""What the loop itself costs.

    python benchmarks/loop.py [--out results/bench-loop.json]

Tiny parts, whose own work is over in half a millisecond, so that what is seen is the loop's. Times are of the
processor, and all ratios are to something measured in the same run. Files are removed at the end only: inodes
that were freed seconds ago are costly to use again.
"""

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veriloop.comparison.results import write_results
from veriloop.config import plan_from
from veriloop.events import Event, RoundFinished
from veriloop.executors.process import Process
from veriloop.executors.threads import limit_threads
from veriloop.loop import Plan, run
from veriloop.loop.data import load_data
from veriloop.samples import Samples
from veriloop.testing.broken import cut

PLAIN = Path(__file__).parents[1] / "examples" / "plain_loop.py"
TINY = "veriloop.testing.tiny"


def tiny(rounds: int, policy: str = "replace", **changes: Any) -> Plan:
    """One verified arm of tiny parts."""
    config = {
        "rounds": rounds,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": f"{TINY}:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.1},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 60},
        "policy": policy,
        "arms": ["verified"],
        "evaluation_samples": 1,
    }
    return plan_from({**config, **changes})


Stamp = Callable[[], None]
"""To be called at the end of each round."""


def of_a_round(scratch: Path, rounds: int = 200, repeats: int = 5) -> dict[str, dict[str, float]]:
    """Processor time of a round beyond the plain loop's: of the least disturbed tenth, and of the median.

    Other programs on the machine make rounds slower, by changing its caches, and never faster.
    """
    spec = importlib.util.spec_from_file_location("plain_loop", PLAIN)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    plan = tiny(rounds)
    data, verifier = load_data(plan.dataset, plan.seed), plan.arms["verified"].verifier

    def by_plain_loop(stamp: Stamp) -> None:
        options = {"rounds": rounds, "keep": 60, "chunk": plan.chunk_size}
        for _ in plain.plain_loop(data, plan.learner, verifier, **options):
            stamp()

    def by_engine(out: Path | None, stamp: Stamp) -> None:
        run(plan, out, listen=lambda event: stamp() if isinstance(event, RoundFinished) else None)

    with tempfile.TemporaryDirectory(dir=_shared_memory()) as memory:
        ways: dict[str, Callable[[Stamp], None]] = {
            "plain loop": by_plain_loop,
            "in memory": lambda stamp: by_engine(None, stamp),
            "the files alone": lambda stamp: _write_rounds(_new(scratch), rounds, stamp),
            "in a folder": lambda stamp: by_engine(_new(scratch), stamp),
            "in a folder, no disk": lambda stamp: by_engine(_new(memory), stamp),
        }
        each: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, way in ways.items():
                stamps: list[float] = []
                way(lambda stamps=stamps: stamps.append(time.process_time()))
                each[name] += (1e3 * np.diff(stamps)).tolist()
    figures: dict[str, dict[str, float]] = {}
    for name, times in each.items():
        tenth, median = np.quantile(times, [0.1, 0.5]).tolist()
        figures[name] = {"tenth": round(tenth, 3), "median": round(median, 3)}
        beyond = {key: value - figures["plain loop"][key] for key, value in figures[name].items()}
        print(
            f"{name:22} {tenth:6.2f} ms a round, {beyond['tenth']:+.2f} beyond the plain loop "
            f"(median {median:.2f}, {beyond['median']:+.2f})"
        )
    return figures


def _new(folder: Path | str) -> Path:
    return Path(tempfile.mkdtemp(dir=folder))


def _write_rounds(folder: Path, rounds: int, stamp: Stamp) -> None:
    """As many files and folders as rounds of tiny parts leave, as large, and as durable."""
    folders = ("", "/arm", "/arm/generator", "/arm/verifier")
    files = ("generator/model", "verifier/means", "verifier/setting", "kept", "preview")
    for number in range(rounds):
        place = f"{folder}/round_{number}"
        for name in folders:
            os.mkdir(place + name)  # noqa: PTH102 - the system's calls and nothing else
        for path in (*(f"{place}/arm/{name}" for name in files), f"{folder}/sums", f"{folder}/records"):
            _write(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, bytes(1_000))
        for path in (*(place + name for name in folders), str(folder)):
            _write(path, os.O_RDONLY, b"")
        stamp()


def _write(path: str, flags: int, content: bytes) -> None:
    handle = os.open(path, flags, 0o666)
    if content:
        os.write(handle, content)
    os.fsync(handle)
    os.close(handle)


def _shared_memory() -> str | None:
    """A place without a disk behind it, which shows what the disk costs; None where there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def over_many_rounds(scratch: Path, rounds: int = 300) -> dict[str, float]:
    """Whether round 300 costs what round 3 costs."""
    ratios: dict[str, float] = {}
    for policy in ("replace", "accumulate_subsample", "accumulate"):
        for where in ("memory", "a folder"):
            stamps: list[float] = []

            def hear(event: Event, stamps: list[float] = stamps) -> None:
                if isinstance(event, RoundFinished):
                    stamps.append(time.process_time())

            run(tiny(rounds, policy), None if where == "memory" else _new(scratch), listen=hear)
            each = np.diff(stamps)
            first, last = float(np.median(each[:50])), float(np.median(each[-50:]))
            print(
                f"{policy:20} in {where:8} last 50 of {rounds} rounds: {last / first:5.2f} x the first 50 "
                f"({1e3 * first:.2f} and {1e3 * last:.2f} ms)"
            )
            ratios[f"{policy}, in {where}"] = round(last / first, 2)
    return ratios


def of_accumulate(scratch: Path, rounds: int = 30) -> dict[str, int]:
    """How many files of kept samples 30 rounds read, unbroken and after a resume half-way."""
    loaded: list[Path] = []
    load = Samples.load

    def counted(path: Path) -> Samples:
        loaded.append(path)
        return load(path)

    plan = tiny(rounds, "accumulate", metrics=[f"{TINY}:TinyMetric"])
    Samples.load = counted  # pyright: ignore[reportAttributeAccessIssue]
    try:
        folder = run(plan, _new(scratch))
        unbroken = sum(path.name == "kept.npz" for path in loaded)
        cut(folder.path, rounds // 2 + 1)
        loaded.clear()
        run(plan, folder.path, resume="always")
        resumed = sum(path.name == "kept.npz" for path in loaded)
    finally:
        Samples.load = load
    print(f"accumulate, {rounds} rounds: {unbroken} files read, {resumed} after a resume from half of them")
    return {"files_read": unbroken, "files_read_after_a_resume": resumed}


class Counted:
    """A large thing that counts how often it is pickled, and leaves a file where it is unpickled."""

    pickled = 0

    def __init__(self, folder: str) -> None:
        self.folder, self.content = folder, np.zeros(30 * 2**17)

    def __reduce__(self) -> Any:
        Counted.pickled += 1
        return _arrived, (self.folder, self.content)


def _arrived(folder: str, content: NDArray) -> NDArray:
    (Path(folder) / f"{os.getpid()}-{time.perf_counter_ns()}").touch()
    return content


def _touched(shared: NDArray, item: int) -> float:
    return float(shared[item])


def of_sharing(scratch: Path, items: int = 20) -> dict[str, float]:
    """How often 30 MB are pickled for 20 items and two workers, against sending them with each item."""
    pool = Process(workers=2)
    list(pool.map(_touched, range(items), np.zeros(items)))  # start the workers outside the clock
    arrived = _new(scratch)
    began = time.perf_counter()
    list(pool.map(_touched, range(items), Counted(str(arrived))))
    once = time.perf_counter() - began
    unpickled = len([*arrived.iterdir()])
    content = np.zeros(30 * 2**17)
    began = time.perf_counter()
    list(pool.map(_with_item, [(i, content + i) for i in range(items)]))
    each = time.perf_counter() - began
    print(
        f"30 MB shared by {items} items: {Counted.pickled} pickle, {unpickled} unpickled by two workers, "
        f"{once / each:.2f} x the time of sending it with each item"
    )
    return {"pickled": Counted.pickled, "unpickled": unpickled, "ratio_of_times": round(once / each, 2)}


def _with_item(shared: None, item: tuple[int, NDArray]) -> float:
    return float(item[1][item[0]])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this JSON file")
    out, began = parser.parse_args().out, time.perf_counter()
    with limit_threads(1), tempfile.TemporaryDirectory() as scratch:
        figures = {
            "milliseconds_a_round": of_a_round(Path(scratch)),
            "last_50_of_300_rounds": over_many_rounds(Path(scratch)),
            "accumulate": of_accumulate(Path(scratch)),
            "sharing": of_sharing(Path(scratch)),
        }
    if out:
        write_results(
            out, f"python benchmarks/loop.py --out {out}", time.perf_counter() - began, [], **figures
        )


if __name__ == "__main__":
    main()
