"""How right an audit is where the truth is known, and what it costs where there are many rows.

    python benchmarks/audit.py [--parts linear,judges,texts,rows] [--systems 500]

- linear: random linear systems, each audited from one round of 20,000 verdicts. A row is a label along each
  of 1 to 3 directions, accepted when all of them are within the verifier's half width of its center. Truth is
  the theory's transfer map, iterated from the start without noise. With an unbiased verifier it improves for
  ever, so the true best round is the last one looked at.
- judges: soft and odd judges on a Gaussian model; the predicted means of rounds 2 to 4 against simulation.
- texts: 50,000 generated texts with verdicts, a JSONL file, on the command line.
- rows: 5 million rows of 64 features, an NPZ file, on the command line.

Writes results/audit.json, of the parts that were asked for and those that were there. The exit status is 1
when a target is missed. Peak memory is the process's own (Linux).
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veriloop.advise.audit import audit
from veriloop.executors.threads import limit_threads
from veriloop.experiments.results import write_results
from veriloop.theory import best_round, classify, transfer_map

RESULTS = Path(__file__).parents[1] / "results" / "audit.json"
VERDICTS, ROUNDS = 20_000, 20
DEPTH, NEAR, BIAS = (0.001, 0.05), 0.05, 0.1
"""Near a boundary between regimes: the curve of squared distances rises after its best round by a share in
``DEPTH``; or its best round is within the share ``NEAR`` of its start; or the bias is above 0 and below
``BIAS``."""


class System(NamedTuple):
    """A linear system relative to the verifier's center, in units of the label noise."""

    half_width: float
    start: NDArray[np.floating]
    truth: NDArray[np.floating]


def random_system(rng: np.random.Generator) -> System:
    p = int(rng.integers(1, 4))
    direction = rng.standard_normal(p)
    bias = rng.uniform(0, 1) * (rng.random() > 0.2)  # a fifth of all verifiers is unbiased
    truth = bias * direction / np.linalg.norm(direction)
    return System(rng.uniform(0.8, 1.6), truth + 0.7 * rng.standard_normal(p) / np.sqrt(p), truth)


def linear(systems: int) -> dict[str, Any]:
    inside = coordinates = called = clear = best_near = best_held = none = 0
    for seed in range(systems):
        rng = np.random.default_rng(seed)
        half_width, start, truth = random_system(rng)
        x = start + rng.standard_normal((VERDICTS, len(start)))
        real = truth + rng.standard_normal((VERDICTS, len(start)))
        found = audit(x, (np.abs(x) <= half_width).all(axis=1), real, rounds=ROUNDS)
        means = [start]
        for _ in range(ROUNDS):
            means.append(transfer_map(means[-1], half_width))
        curve = np.square(np.array(means) - truth).sum(axis=1)
        floor = np.asarray(truth @ truth)
        if found.center is None:
            none += 1
        else:
            inside += int(np.count_nonzero((found.center.low <= 0) & (found.center.high >= 0)))
        coordinates += len(start)
        true_best = int(best_round(curve)) if floor > 0 else ROUNDS
        best_near += abs(found.best_round.value - true_best) <= 1
        best_held += found.best_round.low <= true_best <= found.best_round.high
        if not near_a_boundary(curve, float(floor)):
            clear += 1
            called += found.regime == str(classify(curve, floor))
    return {
        "systems": systems,
        "centers_in_interval": inside / coordinates,
        "coordinates": coordinates,
        "no_center_found": none,
        "regimes_right": called / clear,
        "systems_off_the_boundaries": clear,
        "best_round_within_1": best_near / systems,
        "best_round_in_interval": best_held / systems,
    }


def near_a_boundary(curve: NDArray[np.floating], floor: float) -> bool:
    best = int(curve[1:].argmin()) + 1
    rise = max(curve[best:].max(), floor) / curve[best] - 1
    return bool(
        DEPTH[0] < rise < DEPTH[1] or abs(curve[best] / curve[0] - 1) < NEAR or 0 < np.sqrt(floor) < BIAS
    )


CENTER = np.array([1.0, -0.5, 0.2])


def away(x: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.square(x - CENTER).sum(axis=1)


def best(score: NDArray[np.floating], share: float) -> NDArray[np.floating]:
    return (score >= np.quantile(score, 1 - share)).astype(float)


def by_chance(chance: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
    return (rng.random(len(chance)) < chance).astype(float)


def votes(x: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.floating]:
    """Three judges with centers of their own; the majority decides."""
    shifted = (away(x + shift) < 3 for shift in (-0.3, 0.0, 0.4))
    return (np.sum(list(shifted), axis=0) >= 2).astype(float)


JUDGES: dict[str, Any] = {
    "hard ball": lambda x, rng: (away(x) < 2.5).astype(float),
    "soft ball": lambda x, rng: by_chance(np.exp(-away(x) / 2), rng),
    "logistic in the distance": lambda x, rng: by_chance(1 / (1 + np.exp(2 * (away(x) - 2))), rng),
    "majority of three": votes,
    "abstains on a third": lambda x, rng: np.where(rng.random(len(x)) < 1 / 3, np.nan, away(x) < 2.5),
    "abstains far out": lambda x, rng: np.where(x[:, 0] > 1.5, np.nan, away(x) < 2.5),
    "best tenth, quadratic": lambda x, rng: best(-away(x), 0.1),
    "best half, quadratic": lambda x, rng: best(-away(x), 0.5),
    "best tenth, linear": lambda x, rng: best(x @ CENTER, 0.1),
    "best half, linear": lambda x, rng: best(x @ CENTER, 0.5),
    "logistic, linear": lambda x, rng: by_chance(1 / (1 + np.exp(-2 * x @ CENTER)), rng),
}


def judges() -> dict[str, Any]:
    """Errors of predicted means, in spreads, beside the half width of their intervals."""
    found: dict[str, Any] = {}
    for name, judge in JUDGES.items():
        rng = np.random.default_rng(1)
        x = rng.standard_normal((40_000, 3))
        said = judge(x, rng)
        scores = {"quadratic": -away(x), "linear": x @ CENTER}.get(name.split(", ")[-1])
        by_score = name.startswith("best")
        result = audit(
            x,
            said,
            rng.standard_normal((5_000, 3)),
            scores=scores if by_score else None,
            rule="top_fraction" if by_score else "fixed",
        )
        mean, rounds = x[said == 1].mean(axis=0), []
        for predicted in result.trajectory[1:4]:
            y = mean + rng.standard_normal((1_000_000, 3))
            mean = y[judge(y, rng) == 1].mean(axis=0)
            error = float(np.abs(predicted.mean - mean).max())
            half = float((predicted.high - predicted.low).max() / 2)
            rounds.append({"round": predicted.round, "error": round(error, 4), "half_width": round(half, 4)})
        center = None if result.center is None else result.center.value.round(3).tolist()
        found[name] = {"regime": result.regime, "center": center, "rounds": rounds}
    return found


MEASURE = """
import resource, sys
sys.argv = ["veriloop", *sys.argv[1:]]
from veriloop.cli.main import main
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""


def measured(*arguments: object) -> dict[str, Any]:
    """The command line in a process of its own: what it took, and what it found.

    A loaded machine stretches ``seconds``, the time on the clock, but hardly ``cpu_seconds``; ``load`` is the
    number of processes that were at work when it began.
    """
    load, began = os.getloadavg()[0], time.perf_counter()
    command = [sys.executable, "-c", MEASURE, "audit", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - began
    found = json.loads(done.stdout)
    cpu_seconds, peak_mb = map(float, done.stderr.split()[-2:])
    return {
        "load": round(load, 1),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "peak_mb": round(peak_mb),
        "regime": found["regime"],
        "verdict": found["verdict"],
    }


def texts(n: int = 50_000) -> dict[str, Any]:
    """Texts of words drawn by topic; the judge likes short texts of the first topic."""
    rng = np.random.default_rng(2)
    words = np.array([f"word{j}" for j in range(2_000)])

    def write(share: float, count: int) -> list[list[str]]:
        topic = rng.random(count) < share
        return [
            words[(rng.zipf(1.3, size) + (0 if t else 500)) % 2_000].tolist()
            for t, size in zip(topic, rng.integers(15, 60, count), strict=True)
        ]

    generated, real = write(0.5, n), write(0.7, n // 5)
    with TemporaryDirectory() as scratch:
        table, reference = Path(scratch) / "generated.jsonl", Path(scratch) / "real.jsonl"
        lines = (
            {
                "text": " ".join(t),
                "accepted": bool(len(t) < 40 and rng.random() < (t.count("word1") + 1) / 10),
            }
            for t in generated
        )
        table.write_text("".join(json.dumps(line) + "\n" for line in lines))
        reference.write_text("".join(json.dumps({"text": " ".join(t)}) + "\n" for t in real))
        return {"rows": n} | measured(table, "--real", reference, "--accepted", "accepted", "--text", "text")


def rows(n: int = 5_000_000, d: int = 64) -> dict[str, Any]:
    rng = np.random.default_rng(3)
    with TemporaryDirectory() as scratch:
        table, reference = Path(scratch) / "generated.npz", Path(scratch) / "real.npz"
        x = rng.standard_normal((n, d), dtype=np.float32)
        accepted = np.square(x[:, :4] - 0.5).sum(axis=1) < 3
        np.savez(table, x=x, accepted=accepted)
        np.savez(reference, x=x[:100_000] + np.float32(0.2))
        del x
        return {"rows": n, "features": d} | measured(
            table, "--real", reference, "--accepted", "accepted", "--array", "x"
        )


TARGETS = {
    "linear": lambda f: (
        0.93 <= f["centers_in_interval"] <= 0.97
        and f["regimes_right"] >= 0.9
        and f["best_round_within_1"] >= 0.8
    ),
    "judges": lambda f: all(
        (j["regime"] == "divergent") == (name.endswith("linear") and name.startswith("best"))
        for name, j in f.items()
        if name != "logistic, linear"
    ),
    "texts": lambda f: f["seconds"] < 10,
    "rows": lambda f: f["peak_mb"] < 2_048,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default="linear,judges,texts,rows")
    parser.add_argument("--systems", type=int, default=500)
    arguments = parser.parse_args()
    parts = {"linear": lambda: linear(arguments.systems), "judges": judges, "texts": texts, "rows": rows}
    found = json.loads(RESULTS.read_text())["parts"] if RESULTS.exists() else {}
    began, missed = time.perf_counter(), False
    with limit_threads(1):
        for name in arguments.parts.split(","):
            found[name] = parts[name]()
            met = TARGETS[name](found[name])
            missed |= not met
            print(f"{name}: {'met' if met else 'MISSED'}\n{json.dumps(found[name], indent=1)}", flush=True)
    seconds = time.perf_counter() - began
    write_results(RESULTS, "python benchmarks/audit.py", seconds, (), parts=found)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
