"""What the loop itself costs, and what common random numbers gain.

    python benchmarks/loop.py [--digits SEEDS]

Tiny parts, whose own work is over in half a millisecond, so that what is seen is the loop's. All ratios are
to something measured in the same run. ``--digits`` adds the demonstration's digits, some minutes a seed.
"""

import argparse
import importlib.util
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veriloop.config import plan_from
from veriloop.events import Event, RoundFinished
from veriloop.executors.process import Process
from veriloop.executors.threads import limit_threads
from veriloop.experiments.demo import demo_plan
from veriloop.loop import Plan, run
from veriloop.loop.data import load_data
from veriloop.records import RoundRecord
from veriloop.samples import Samples
from veriloop.testing.broken import cut

PLAIN = Path(__file__).parents[1] / "examples" / "plain_loop.py"
TINY = "veriloop.testing.tiny"
STAR, CENTER = [1.0, -1.0, 0.5], [1.2, -0.9, 0.5]


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


def ball(radius: float) -> dict[str, Any]:
    """A verifier of the linear system: the larger its radius, the more it accepts."""
    return {"kind": "knowledge_ball", "center": CENTER, "radius": radius}


def linear(radius: float, other: dict[str, Any], seed: int, common: bool) -> Plan:
    """Two arms of the linear system: a verifier of this radius, and another arm."""
    return plan_from(
        {
            "seed": seed,
            "rounds": 4,
            "dataset": {"kind": "linear", "theta_star": STAR, "n0": 40},
            "learner": "ols",
            "acceptance": "accept_all",
            "balance": "direction",
            "schedule": {"kind": "constant", "n": 75},
            "metrics": [{"kind": "parameter_error", "truth": STAR}],
            "arms": {"one": {"verifier": ball(radius)}, "other": {"verifier": None, **other}},
            "evaluation_samples": 3,
            "chunk_size": 200,
            "common_random_numbers": common,
        }
    )


def digits(seed: int, common: bool) -> Plan:
    """The demonstration, shortened."""
    plan = demo_plan(seed, rounds=2)
    changes = {
        "arms": {"one": plan.arms["verified"], "other": plan.arms["unverified"]},
        "metrics": tuple(metric for metric in plan.metrics if metric.kind in {"frechet", "nelbo"}),
        "common_random_numbers": common,
    }
    return plan.model_copy(update=changes)


def of_a_round(rounds: int = 200, repeats: int = 5) -> None:
    """Processor time of a round beyond the plain loop's, of the best of some repeats."""
    spec = importlib.util.spec_from_file_location("plain_loop", PLAIN)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    plan = tiny(rounds)
    data, verifier = load_data(plan.dataset, plan.seed), plan.arms["verified"].verifier

    def by_plain_loop() -> None:
        options = {"rounds": rounds, "keep": 60, "chunk": plan.chunk_size}
        for _ in plain.plain_loop(data, plan.learner, verifier, **options):
            pass

    def by_engine(scratch: str | None) -> Callable[[], object]:
        if scratch is None:
            return lambda: run(plan, None)
        return lambda: run(plan, tempfile.mkdtemp(dir=scratch))

    def by_files_alone() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            for number in range(rounds):
                _write_a_round(Path(scratch) / str(number))

    ways: dict[str, Callable[[], object]] = {
        "plain loop": by_plain_loop,
        "in memory": by_engine(None),
        "the files alone": by_files_alone,
    }
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as disk, tempfile.TemporaryDirectory(dir=_shared_memory()) as memory:
        ways |= {"in a folder": by_engine(disk), "in a folder, no disk": by_engine(memory)}
        for _ in range(repeats):
            for name, way in ways.items():
                began = time.process_time()
                way()
                best[name] = min(best.get(name, np.inf), 1e3 * (time.process_time() - began) / rounds)
    base = best["plain loop"]
    for name, each in best.items():
        print(f"{name:22} {each:6.2f} ms a round, {each / base:5.1f} x plain loop, {each - base:+.2f} ms")


def _write_a_round(directory: Path) -> None:
    """As many directories and files as a round of tiny parts leaves, as large, and as durable."""
    for made in (directory, directory / "generator", directory / "verifier"):
        made.mkdir()
    for name in ("generator/a", "verifier/a", "verifier/b", "kept", "preview", "record"):
        with (directory / name).open("wb") as file:
            file.write(bytes(1_500))
            file.flush()
            os.fsync(file.fileno())


def _shared_memory() -> str | None:
    """A place without a disk behind it, which shows what the disk costs; None where there is none."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def over_many_rounds(rounds: int = 300) -> None:
    """Whether round 300 costs what round 3 costs."""
    for policy in ("replace", "accumulate_subsample", "accumulate"):
        for where in ("memory", "a folder"):
            stamps: list[float] = []

            def hear(event: Event, stamps: list[float] = stamps) -> None:
                if isinstance(event, RoundFinished):
                    stamps.append(time.process_time())

            with tempfile.TemporaryDirectory() as scratch:
                run(tiny(rounds, policy), None if where == "memory" else scratch, listen=hear)
            each = np.diff(stamps)
            first, last = float(np.median(each[:50])), float(np.median(each[-50:]))
            print(
                f"{policy:20} in {where:8} last 50 of {rounds} rounds: {last / first:5.2f} x the first 50 "
                f"({1e3 * first:.2f} and {1e3 * last:.2f} ms)"
            )


def of_accumulate(rounds: int = 30) -> None:
    """How many files of kept samples 30 rounds read, unbroken and after a resume half-way."""
    loaded: list[Path] = []
    load = Samples.load

    def counted(path: Path) -> Samples:
        loaded.append(path)
        return load(path)

    Samples.load = counted  # pyright: ignore[reportAttributeAccessIssue]
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = run(tiny(rounds, "accumulate", metrics=[f"{TINY}:TinyMetric"]), Path(scratch) / "run")
            unbroken = sum(path.name == "kept.npz" for path in loaded)
            cut(folder.path, rounds // 2 + 1)
            loaded.clear()
            run(tiny(rounds, "accumulate", metrics=[f"{TINY}:TinyMetric"]), folder.path, resume="always")
            resumed = sum(path.name == "kept.npz" for path in loaded)
    finally:
        Samples.load = load
    print(f"accumulate, {rounds} rounds: {unbroken} files read, {resumed} after a resume from half of them")


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


def of_sharing(items: int = 20) -> None:
    """How often 30 MB are pickled for 20 items and two workers, against sending them with each item."""
    pool = Process(workers=2)
    list(pool.map(_touched, range(items), np.zeros(items)))  # start the workers outside the clock
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        list(pool.map(_touched, range(items), Counted(scratch)))
        once = time.perf_counter() - began
        unpickled = len([*Path(scratch).iterdir()])
    content = np.zeros(30 * 2**17)
    began = time.perf_counter()
    list(pool.map(_with_item, [(i, content + i) for i in range(items)]))
    each = time.perf_counter() - began
    print(
        f"30 MB shared by {items} items: {Counted.pickled} pickle, {unpickled} unpickled by two workers, "
        f"{once / each:.2f} x the time of sending it with each item"
    )


def _with_item(shared: None, item: tuple[int, NDArray]) -> float:
    return float(item[1][item[0]])


def of_common_random_numbers(
    name: str, plan: Callable[[int, bool], Plan], quantities: Sequence[str], seeds: int
) -> None:
    """By how much the variance over seeds of the difference of two arms falls."""
    differences = {
        common: np.array([_differences(plan(seed, common), quantities) for seed in range(seeds)])
        for common in (False, True)
    }
    # Two standard errors of the logarithm of a ratio of two variances, each of as many normal numbers.
    factor = np.exp(2 * np.sqrt(4 / (seeds - 1)))
    for i, quantity in enumerate(quantities):
        apart, common = (differences[c][:, i].var(axis=0, ddof=1) for c in (False, True))
        rounds = ", ".join(
            f"{r:.2f} ({r / factor:.2f} to {r * factor:.2f})" for r in (common / apart).tolist()
        )
        print(f"{name}, {quantity}: variance of the difference, common over own numbers, by round: {rounds}")


def _differences(plan: Plan, quantities: Sequence[str]) -> NDArray[np.float64]:
    """One arm minus the other, shape (quantities, rounds)."""
    records: dict[tuple[str, int], RoundRecord] = {(r.arm, r.round): r for r in run(plan, None).records()}

    def value(arm: str, round_: int, name: str) -> float:
        return records[arm, round_].metrics[name].value

    rounds = range(1, plan.rounds + 1)
    return np.array(
        [[value("one", k, name) - value("other", k, name) for k in rounds] for name in quantities]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--digits", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--seeds", type=int, default=300)
    arguments = parser.parse_args()
    with limit_threads(1):
        of_a_round()
        over_many_rounds()
        of_accumulate()
        of_sharing()
        for name, radius, other in (
            ("strict verifier or none", 0.4, {}),
            ("mild verifier or none", 3.0, {}),
            ("two verifiers", 0.4, {"verifier": ball(0.5)}),
            ("two policies", 0.4, {"verifier": ball(0.4), "policy": "accumulate"}),
        ):
            plan = partial(linear, radius, other)
            of_common_random_numbers(name, plan, ["parameter_error"], arguments.seeds)
        if arguments.digits:
            of_common_random_numbers("digits", digits, ["frechet", "nelbo"], arguments.digits)
