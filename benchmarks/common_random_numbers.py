"""By how much common random numbers lower the variance of the difference of two arms.

    python benchmarks/common_random_numbers.py [--linear 300] [--digits 0] [--runs DIR] [--out FILE]

Each seed is run twice, with the arms on common random numbers and on numbers of their own, and gives one
difference a round each. Printed is the ratio of the variances of the two over seeds, with the 95 % interval
of a ratio of two variances of normal numbers.

The linear system takes a minute for 300 seeds. ``--digits`` adds the demonstration's digits, a minute a seed:
its runs are folders in DIR, and those that are finished there are not made again. FILE keeps what it has of
the other system, when one of the two is left out with 0 seeds.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from veriloop.comparison.results import write_results
from veriloop.config import plan_from
from veriloop.executors.serial import Serial
from veriloop.executors.threads import limit_threads
from veriloop.loop import Plan, run
from veriloop.records import RoundRecord
from veriloop.starters.demo import demo_plan

STAR, CENTER = [1.0, -1.0, 0.5], [1.2, -0.9, 0.5]

Differences = NDArray[np.float64]
"""One arm minus the other, shape (quantities, rounds)."""


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


LINEAR = {
    "strict verifier or none": partial(linear, 0.4, {}),
    "mild verifier or none": partial(linear, 3.0, {}),
    "two verifiers": partial(linear, 0.4, {"verifier": ball(0.5)}),
    "two policies": partial(linear, 0.4, {"verifier": ball(0.4), "policy": "accumulate"}),
}


def digits(seed: int, common: bool) -> Plan:
    """The demonstration, shortened."""
    plan = demo_plan(seed, rounds=2)
    changes = {
        "arms": {"one": plan.arms["verified"], "other": plan.arms["unverified"]},
        "metrics": tuple(metric for metric in plan.metrics if metric.kind in {"frechet", "nelbo"}),
        "common_random_numbers": common,
        "executor": Serial(),
    }
    return plan.model_copy(update=changes)


def measure(
    name: str,
    plan: Callable[[int, bool], Plan],
    quantities: Sequence[str],
    seeds: int,
    folder: Callable[[int, bool], Path | None] = lambda seed, common: None,
) -> dict[str, Any]:
    """Print and return what common numbers gain, by quantity and round, and the differences by seed."""
    found: dict[bool, list[Differences]] = {True: [], False: []}
    seconds = 0.0
    for seed in range(seeds):
        for common, differences in found.items():
            made = plan(seed, common)
            done = run(made, folder(seed, common), resume="if-possible")
            differences.append(_differences(done.records(), made.rounds, quantities))
            seconds += sum(sum(record.seconds.values()) for record in done.records())
        if folder(seed, True):
            print(f"  {name}: {seed + 1} of {seeds} seeds", flush=True)
    least, most = stats.f.ppf([0.025, 0.975], seeds - 1, seeds - 1)
    ratios: dict[str, list[dict[str, float]]] = {}
    for i, quantity in enumerate(quantities):
        with_common, apart = (np.array(found[c])[:, i].var(axis=0, ddof=1) for c in (True, False))
        ratios[quantity] = [
            {"ratio": round(r, 4), "low": round(r / most, 4), "high": round(r / least, 4)}
            for r in (with_common / apart).tolist()
        ]
        shown = ", ".join(f"{r['ratio']:.2f} ({r['low']:.2f} to {r['high']:.2f})" for r in ratios[quantity])
        print(f"{name}, {quantity}: variance of the difference, common over own numbers, by round: {shown}")
    by_seed = {str(common).lower(): np.round(found[common], 6).tolist() for common in found}
    return {"seeds": seeds, "ratios": ratios} | (
        {"seconds": round(seconds), "differences": by_seed} if folder(0, True) else {}
    )


def _differences(records: Sequence[RoundRecord], rounds: int, quantities: Sequence[str]) -> Differences:
    found = {(record.arm, record.round): record.metrics for record in records}

    def difference(round_: int, name: str) -> float:
        return found["one", round_][name].value - found["other", round_][name].value

    return np.array([[difference(k, name) for k in range(1, rounds + 1)] for name in quantities])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--linear", type=int, default=300, metavar="SEEDS", help="of the linear system")
    parser.add_argument("--digits", type=int, default=0, metavar="SEEDS", help="of the digits")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="keep the runs of the digits there")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the numbers to this JSON file")
    arguments = parser.parse_args()
    out, began = arguments.out, time.perf_counter()
    before = json.loads(out.read_text()) if out and out.exists() else {"variance": {}, "seconds": 0}
    found = before["variance"]
    with limit_threads(1), tempfile.TemporaryDirectory() as scratch:
        for name, plan in LINEAR.items() if arguments.linear else ():
            found[name] = measure(name, plan, ["parameter_error"], arguments.linear)
        if arguments.digits:
            runs = arguments.runs or Path(scratch)
            runs.mkdir(parents=True, exist_ok=True)

            def folder(seed: int, common: bool) -> Path:
                return runs / f"seed-{seed}-{'common' if common else 'own'}"

            found["digits"] = measure("digits", digits, ["frechet", "nelbo"], arguments.digits, folder)
    if out:
        command = "python benchmarks/common_random_numbers.py"
        linear, shown = (found.get(name, {"seeds": 0})["seeds"] for name in (next(iter(LINEAR)), "digits"))
        command += f" --linear {linear} --digits {shown} --out {out}"
        seconds = before["seconds"] + time.perf_counter() - began
        write_results(out, command, seconds, [], variance=found)


if __name__ == "__main__":
    main()
