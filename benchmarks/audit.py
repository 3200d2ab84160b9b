"""How right an audit is where the truth is known, and what it costs where there are many rows.

    python benchmarks/audit.py [--parts rivals,digits,linear,judges,texts,rows] [--worlds 1000]

- rivals: random worlds (`audit_worlds.py`), each audited from one round and followed by brute force under
  three generators. The even seeds were used to tune the audit (`--half tuning`); results are of the odd ones.
- digits: the same of a CVAE on digits, trained again on what was accepted (`audit_digits.py`).
- linear: random linear systems, each audited from one round of 20,000 verdicts, for a generator that keeps
  its spread. A row is a label along each of 1 to 3 directions, accepted when all of them are within the
  verifier's half width of its center. Truth is the theory's transfer map, iterated without noise.
- judges: soft and odd judges on a Gaussian model that keeps its spread; the predicted means of rounds 2 to 4
  against simulation.
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

from audit_digits import trained
from audit_worlds import World, truths, world
from veriloop.advise import Audit, audit
from veriloop.advise._fate import HARMS, HELPS, TURNS, fates
from veriloop.advise._rivals import GENERATORS
from veriloop.advise.audited import Predicted
from veriloop.comparison.results import write_results
from veriloop.errors import DataError
from veriloop.executors.threads import limit_threads
from veriloop.theory import transfer_map

RESULTS = Path(__file__).parents[1] / "results" / "audit.json"
VERDICTS, ROUNDS = 20_000, 20
HALVES = {"tuning": 0, "reporting": 1}
LOOKED, CHECKED = 10, 3
"""Rounds that are predicted in a world, and those whose means are checked."""
CONFIDENT, ENOUGH_CASES = 0.9, 50
FATES = {"improving": HELPS, "gain_then_plateau": HELPS, "gain_then_reversal": TURNS, "harmful": HARMS}


class Case(NamedTuple):
    """One audit of a world: where it was, and whether what it said came true.

    Attributes:
        world: What it was tried on.
        covered: By generator and round, the share of the features whose true mean lies in the bracket.
        bracket: The bracket's half width in standard deviations, the median of the features, by round.
        own: The same of the true generator's own intervals, by generator.
        said: The regime.
        probability: Of it; None where it cannot be told.
        right: Whether it came true, by generator.
        cannot_tell: Why there is none.
        seconds: Of the processor.
    """

    world: World
    covered: dict[str, list[float]]
    bracket: list[float]
    own: dict[str, list[float]]
    said: str
    probability: float | None
    right: dict[str, bool]
    cannot_tell: str | None
    seconds: float


def tried(seed: int) -> Case | None:
    """None where the audit refuses: a verifier that accepts nearly all or nothing."""
    w, rng = world(seed), np.random.default_rng([seed, 4])
    x, accepted, real = w.observed(rng)
    began = time.process_time()
    try:
        found = audit(x, accepted, real, rounds=LOOKED)
    except DataError:
        return None
    seconds, spread = time.process_time() - began, x.std(axis=0)
    inverse = np.linalg.inv(np.cov(w.rows(rng, 50_000)[:, : w.d].T))
    covered, right = {}, {}
    for generator, means in truths(w, LOOKED, rng).items():
        covered[generator] = coverage(found, means)
        apart = np.vstack([np.zeros(w.d), means]) - w.real
        distances = np.sqrt(np.einsum("ki,ij,kj->k", apart, inverse, apart))
        right[generator] = FATES.get(found.regime.value) == int(fates(distances[:, None])[0])
    return Case(
        world=w,
        covered=covered,
        bracket=half_widths(found.trajectory, spread),
        own={name: half_widths(model, spread) for name, model in found.models.items()},
        said=found.regime.value,
        probability=found.regime.probability,
        right=right,
        cannot_tell=found.regime.reason,
        seconds=seconds,
    )


def coverage(found: Audit, means: NDArray[np.floating]) -> list[float]:
    return [
        float(((p.low <= true) & (true <= p.high)).mean())
        for p, true in zip(found.trajectory[:CHECKED], means, strict=False)
    ]


def half_widths(rounds: list[Predicted], spread: NDArray[np.floating]) -> list[float]:
    return [float(np.median((p.high - p.low) / 2 / spread)) for p in rounds[:CHECKED]]


def rivals(worlds: int, half: str) -> dict[str, Any]:
    cases = [c for c in map(tried, range(HALVES[half], 2 * worlds, 2)) if c is not None]
    given = [c for c in cases if c.probability is not None]
    ample = [c for c in cases if c.world.d == 3 and c.world.n == 20_000]
    seen = [c for c in ample if c.world.judge != "hidden"]
    stated = np.array([c.probability for c in given for _ in GENERATORS])
    true = np.array([c.right[g] for c in given for g in GENERATORS])
    confident = stated >= CONFIDENT
    return {
        "half": half,
        "audits": len(cases),
        "refused": worlds - len(cases),
        "coverage": by_round(cases),
        "coverage_by_case": {
            f"{kind} {value}": {"audits": len(some), "lowest": lowest(some)}
            for kind in ("judge", "shape", "d", "n")
            for value in sorted({getattr(c.world, kind) for c in cases}, key=str)
            for some in [[c for c in cases if getattr(c.world, kind) == value]]
        },
        "half_width": {
            "bracket": middle([c.bracket for c in cases]),
            **{g: middle([c.own[g] for c in cases]) for g in GENERATORS},
        },
        "no_number_beyond_round_1": float(np.mean([len(c.bracket) < 2 for c in cases])),
        "no_regime": silence(cases),
        "no_regime_3_features_20000_rows": {"audits": len(ample), "share": silence(ample)},
        "no_regime_3_features_20000_rows_all_features_given": {"audits": len(seen), "share": silence(seen)},
        "regimes": {
            "checked": len(true),
            "right": float(true.mean()),
            "confident": int(confident.sum()),
            "confident_and_wrong": float(1 - true[confident].mean()),
            "by_decile": deciles(stated, true),
        },
        "cpu_seconds_3_features_20000_rows": float(np.median([c.seconds for c in ample])),
    }


def by_round(cases: list[Case]) -> dict[str, list[float]]:
    return {
        g: [float(np.mean([c.covered[g][k] for c in cases if len(c.covered[g]) > k])) for k in range(CHECKED)]
        for g in GENERATORS
    }


def lowest(cases: list[Case]) -> float:
    """The coverage of the generator and round with the lowest one."""
    return min(share for shares in by_round(cases).values() for share in shares if not np.isnan(share))


def middle(widths: list[list[float]]) -> list[float]:
    return [float(np.median([w[k] for w in widths if len(w) > k])) for k in range(CHECKED)]


def silence(cases: list[Case]) -> float:
    return float(np.mean([c.probability is None for c in cases]))


def deciles(stated: NDArray[np.floating], true: NDArray[np.bool_]) -> dict[str, dict[str, float]]:
    found = {}
    for low in range(10):
        inside = (stated >= low / 10) & (stated < (low + 1) / 10)
        if n := int(inside.sum()):
            found[f"0.{low}"] = {
                "n": n,
                "stated": float(stated[inside].mean()),
                "right": float(true[inside].mean()),
            }
    return found


def calibrated(decile: dict[str, float]) -> bool:
    """Within 5 points and two standard errors; the three generators of a world count as one case."""
    error = np.sqrt(decile["stated"] * (1 - decile["stated"]) / (decile["n"] / len(GENERATORS)))
    return abs(decile["stated"] - decile["right"]) <= 0.05 + 2 * error


def digits(seeds: int, half: str) -> dict[str, Any]:
    covered, said = [], []
    for seed in range(HALVES[half], 2 * seeds, 2):
        t = trained(seed, CHECKED)
        found = audit(t.generated, t.accepted, t.real, rounds=LOOKED)
        covered.append(coverage(found, t.means))
        said.append(found.regime.value)
    return {
        "half": half,
        "runs": len(covered),
        "coverage": [float(np.mean([c[k] for c in covered if len(c) > k])) for k in range(CHECKED)],
        "regimes": {value: said.count(value) for value in sorted(set(said))},
    }


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
    inside, coordinates, none = 0, 0, 0
    covered, right, silent = [], [], 0
    for seed in range(systems):
        rng = np.random.default_rng(seed)
        half_width, start, truth_ = random_system(rng)
        x = start + rng.standard_normal((VERDICTS, len(start)))
        real = truth_ + rng.standard_normal((VERDICTS, len(start)))
        accepted = (np.abs(x) <= half_width).all(axis=1)
        found = audit(x, accepted, real, rounds=ROUNDS, generator="location")
        means = [start]
        for _ in range(ROUNDS):
            means.append(transfer_map(means[-1], half_width))
        covered.append(coverage(found, np.array(means[1:])))
        if found.center is None:
            none += 1
        else:
            inside += int(np.count_nonzero((found.center.low <= 0) & (found.center.high >= 0)))
        coordinates += len(start)
        distances = np.linalg.norm(np.array(means) - truth_, axis=1)
        if found.regime.probability is None:
            silent += 1
        else:
            right.append(FATES.get(found.regime.value) == int(fates(distances[:, None])[0]))
    return {
        "systems": systems,
        "centers_in_interval": inside / coordinates,
        "coordinates": coordinates,
        "no_center_found": none,
        "coverage": np.mean(covered, axis=0).tolist(),
        "no_regime": silent / systems,
        "regimes_right": float(np.mean(right)),
    }


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
            generator="location",
        )
        mean, rounds = x[said == 1].mean(axis=0), []
        for predicted in result.trajectory[1:4]:
            y = mean + rng.standard_normal((1_000_000, 3))
            mean = y[judge(y, rng) == 1].mean(axis=0)
            error = float(np.abs(predicted.mean - mean).max())
            half = float((predicted.high - predicted.low).max() / 2)
            rounds.append({"round": predicted.round, "error": round(error, 4), "half_width": round(half, 4)})
        center = None if result.center is None else result.center.value.round(3).tolist()
        found[name] = {"regime": result.regime.value, "center": center, "rounds": rounds}
    return found


MEASURE = """
import resource, sys
sys.argv = ["veriloop", *sys.argv[1:]]
from veriloop.cli.main import main
from veriloop.peak_memory import peak_memory
try:
    main()
finally:
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, peak_memory() / 2**20, file=sys.stderr)
"""


def measured(*arguments: object) -> dict[str, Any]:
    """Run the command line in a separate process; return its time and its findings.

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
    "rivals": lambda f: (
        min(min(shares) for shares in f["coverage"].values()) >= 0.9
        and all(case["lowest"] >= 0.9 for case in f["coverage_by_case"].values())
        and f["no_regime_3_features_20000_rows"]["share"] <= 0.2
        and f["regimes"]["confident_and_wrong"] <= 0.05
        and all(calibrated(d) for d in f["regimes"]["by_decile"].values() if d["n"] >= ENOUGH_CASES)
    ),
    "digits": lambda f: min(f["coverage"]) >= 0.9,
    "linear": lambda f: (
        0.93 <= f["centers_in_interval"] <= 0.97 and min(f["coverage"]) >= 0.9 and f["regimes_right"] >= 0.9
    ),
    "judges": lambda f: all(
        (j["center"] is None) == (name.endswith("linear") and name.startswith("best"))
        for name, j in f.items()
        if name != "logistic, linear"
    ),
    "texts": lambda f: f["cpu_seconds"] < 10,
    "rows": lambda f: f["peak_mb"] < 2_048,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", default="rivals,digits,linear,judges,texts,rows")
    parser.add_argument("--worlds", type=int, default=1000, help="Of each half.")
    parser.add_argument("--runs", type=int, default=12, help="Trained CVAEs of each half.")
    parser.add_argument("--systems", type=int, default=100)
    parser.add_argument("--half", choices=HALVES, default="reporting")
    arguments = parser.parse_args()
    parts = {
        "rivals": lambda: rivals(arguments.worlds, arguments.half),
        "digits": lambda: digits(arguments.runs, arguments.half),
        "linear": lambda: linear(arguments.systems),
        "judges": judges,
        "texts": texts,
        "rows": rows,
    }
    found = json.loads(RESULTS.read_text())["parts"] if RESULTS.exists() else {}
    began, missed = time.perf_counter(), False
    with limit_threads(1):
        for name in arguments.parts.split(","):
            found[name] = parts[name]()
            met = TARGETS[name](found[name])
            missed |= not met
            print(f"{name}: {'met' if met else 'MISSED'}\n{json.dumps(found[name], indent=1)}", flush=True)
    seconds = time.perf_counter() - began
    if arguments.half == "tuning":  # for the eyes of who tunes; results are of the other half
        return int(missed)
    write_results(RESULTS, "python benchmarks/audit.py", seconds, (), parts=found)
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
