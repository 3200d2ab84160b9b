"""What the differences of a comparison are worth: planted ones of 0, 2 and 5 percent, found or not.

    python benchmarks/compare.py --out results/compare.json

Runs of the linear system without a verifier have a known truth: the expected error after round k is
p (1 / n_0 + sum 1 / n_j). So the sizes of the rounds plant a difference. Each run measures the mean error of
100 chains, and each comparison has three variations under eight seeds, read by `veriloop compare`'s own
differences, with intervals for three differences together.

1. 200 comparisons of three variations of equal truth: the share in which any two are told apart.
2. 200 comparisons with a second variation 2 % and a third one 5 % above the first: power, against Student's.
3. Coverage: the share of comparisons in which all three intervals hold the true differences, in both.
4. The seeds that `seeds_needed` asks for at 2 %: the share of comparisons with that number of seeds that
   find the difference. It is given the planted mean, and the spread of a pilot; with a pilot's own mean it
   is off by as much as that mean is.
5. One comparison through `veriloop.compare` itself, of two learned chains: the truth lies in its interval.

Exits with 1 unless the first is at most 5 % and coverage at least 95 %, both within two standard errors of
200 comparisons, power within three of Student's, the fourth within three of 80 %, and the fifth holds.
"""

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import combinations, permutations, product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import veriloop
from _planted import START, P
from veriloop.cards import ArmCard, RunCard
from veriloop.comparison.chains import Chain
from veriloop.comparison.differences import Difference, contrast, table
from veriloop.comparison.results import write_results
from veriloop.executors.serial import Serial
from veriloop.linear import simulate
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.store.folder import RunFolder
from veriloop.theory import LinearSystem

COMPARISONS, SEEDS, CHAINS = 200, 8, 100
ROUNDS = 4
ZERO = np.zeros(P)
SYSTEM = LinearSystem(ZERO, ZERO, 1.0, singular_values=np.full(P, math.sqrt(START)))
CARD = RunCard(
    arms={"unverified": ArmCard(last_round=ROUNDS)}, quantities={"error": Quantity("Error", better="lower")}
)

Sizes = tuple[int, ...]


class Found(NamedTuple):
    """Many comparisons of the same variations.

    Attributes:
        values: The error of each variation in each run, shape (comparisons, variations, seeds).
        truth: The expected one, shape (variations,).
        differences: Of each comparison.
    """

    values: NDArray[np.float64]
    truth: NDArray[np.float64]
    differences: list[tuple[Difference, ...]]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, metavar="FILE")
    given = parser.parse_args()
    began = time.perf_counter()
    equal, planted = (compared(variations, SEEDS, first) for variations, first in ((EQUAL, 0), (PLANTED, 1)))
    found = {
        "planted_percent": [round(100 * float(t / planted.truth[0] - 1), 3) for t in planted.truth],
        "told_apart_at_0": share([any(d.told_apart for d in of) for of in equal.differences]),
        "coverage": {
            name: share([covers(of, which.truth) for of in which.differences])
            for name, which in (("equal", equal), ("planted", planted))
        },
        "power": [power(planted, other) for other in (1, 2)],
        "seeds_needed": needed(planted),
        "engine": engine(),
    }
    met = judged(found)
    for name, value in found.items():
        print(name, value)
    for name, holds in met.items():
        print(name, "met" if holds else "MISSED")
    if given.out:
        command = f"python benchmarks/compare.py --out {given.out}"
        write_results(given.out, command, time.perf_counter() - began, (), met=met, **found)
    return 0 if all(met.values()) else 1


def judged(found: dict[str, Any]) -> dict[str, bool]:
    """Which of the claims hold."""
    se = math.sqrt(0.05 * 0.95 / COMPARISONS)
    needed, engine = found["seeds_needed"], found["engine"]
    return {
        "told apart at 0 %: at most 5 %": found["told_apart_at_0"]["share"] <= 0.05 + 2 * se,
        "coverage of the truth: 95 %": all(c["share"] >= 0.95 - 2 * se for c in found["coverage"].values()),
        **{
            f"power at {p['percent']:.0f} %: Student's": abs(p["share"] - p["student"])
            <= 3 * math.sqrt(p["student"] * (1 - p["student"]) / COMPARISONS) + 0.5 / COMPARISONS
            for p in found["power"]
        },
        "seeds_needed finds 80 %": abs(needed["share"] - 0.8) <= 3 * math.sqrt(0.16 / COMPARISONS),
        "through the engine": engine["low"] <= engine["truth"] <= engine["high"],
    }


# -- what is planted -------------------------------------------------------------------------------------


def expected(sizes: Sizes) -> float:
    """The error after the last round: the truth."""
    return P * (1 / START + sum(1 / n for n in sizes))


def above(base: Sizes, percent: float) -> Sizes:
    """Sizes with an error that is so much above that of ``base``, as nearly as whole numbers can."""
    goal = expected(base) * (1 + percent / 100)
    near = product(*(range(n - n // 8, n + 1) for n in base[1:]))
    return min(((base[0], *rest) for rest in near), key=lambda sizes: abs(expected(sizes) - goal))


BASE: Sizes = (400, 200, 100, 50)
# The same sizes in another order have the same error in the end, from other samples.
ORDERS = list(permutations(range(ROUNDS)))
EQUAL = [tuple(BASE[i] for i in ORDERS[at]) for at in (0, 9, 23)]
PLANTED = [tuple(above(BASE, percent)[i] for i in ORDERS[at]) for percent, at in ((0, 0), (2, 9), (5, 23))]


# -- comparisons -----------------------------------------------------------------------------------------


def compared(variations: Sequence[Sizes], seeds: int, first: int) -> Found:
    """Runs of all variations under ``seeds`` seeds, and what a comparison says of them."""
    values = np.zeros((COMPARISONS, len(variations), seeds))
    differences: list[tuple[Difference, ...]] = []
    for number in range(COMPARISONS):
        chains: list[Chain] = []
        for at, sizes in enumerate(variations):
            for k in range(seeds):
                seed = (first * COMPARISONS + number) * 1_000 + k
                found = simulate(SYSTEM, sizes, ROUNDS, CHAINS, seed, verified=False, sampling="clt")
                values[number, at, k] = found.mse_star[-1]
                chains.append(chain(str(at), k, found.mse_star, found.mse_star_se))
        differences.append(table("error", chains).differences)
    return Found(values, np.array([expected(sizes) for sizes in variations]), differences)


def chain(variation: str, seed: int, means: NDArray[np.float64], errors: NDArray[np.float64]) -> Chain:
    """A run as a comparison sees it."""
    records = tuple(
        RoundRecord(
            arm="unverified",
            round=k,
            counts=Counts(),
            trained_on=1,
            metrics={"error": Estimate(float(mean), float(se))},
            seconds={},
        )
        for k, (mean, se) in enumerate(zip(means, errors, strict=True))
    )
    return Chain(variation, "unverified", seed, records, RunFolder(Path()), CARD, None)


def covers(differences: Sequence[Difference], truth: NDArray[np.float64]) -> bool:
    """Whether all intervals hold the true differences."""
    return all(d.low <= truth[int(d.a)] - truth[int(d.b)] <= d.high for d in differences)


def power(found: Found, other: int) -> dict[str, Any]:
    """The share in which the variation is told apart from the first one, and what Student's theory says."""
    pairs = (found.values[:, 0] - found.values[:, other]).ravel()
    truth = float(found.truth[0] - found.truth[other])
    seeds, m = found.values.shape[2], len(list(combinations(range(len(found.truth)), 2)))
    limit = stats.t.ppf(1 - 0.05 / (2 * m), seeds - 1)
    center = abs(truth) / pairs.std() * math.sqrt(seeds)
    student = stats.nct.sf(limit, seeds - 1, center) + stats.nct.cdf(-limit, seeds - 1, center)
    apart = [next(d for d in of if d.b == str(other) and d.a == "0").told_apart for of in found.differences]
    percent = 100 * float(found.truth[other] / found.truth[0] - 1)
    return {"percent": round(percent, 3), "seeds": seeds, "student": round(float(student), 4), **share(apart)}


def needed(found: Found) -> dict[str, Any]:
    """Return the number of seeds for a difference of 2 %, and how often that number finds it."""
    pairs = (found.values[:, 0] - found.values[:, 1]).ravel()
    # With the spread of these pairs, and the mean that is planted: of theirs, luck is a part.
    seeds = contrast(pairs - pairs.mean() + found.truth[0] - found.truth[1], comparisons=3)[3]
    assert seeds is not None
    again = power(compared(PLANTED, seeds, first=2), 1)
    return {"percent": again["percent"], "seeds": seeds, "share": again["share"], "se": again["se"]}


def engine() -> dict[str, Any]:
    """Two chains of runs whose rounds keep 100 and 40 rows: the difference, and what it must be."""
    config = {
        "rounds": ROUNDS,
        "dataset": "_planted:Normal",
        "learner": "_planted:Means",
        "metrics": ["_planted:SquaredError"],
        "schedule": {"kind": "constant", "n": 100},
        "arms": ["unverified"],
        "keep_models": "last",
    }
    with tempfile.TemporaryDirectory() as scratch:
        made = veriloop.compare(config, scratch, seeds=12, vary={"schedule.n": [100, 40]}, executor=Serial())
    (found,) = made.tables["error"].differences
    truth = expected((100,) * ROUNDS) - expected((40,) * ROUNDS)
    numbers = found.model_dump(include={"mean", "low", "high", "told_apart", "seeds_needed", "n"})
    return {"truth": round(truth, 4), **numbers, "sentence": made.sentences[0]}


def share(hits: Sequence[bool]) -> dict[str, float]:
    """Of comparisons, with the standard error over them."""
    p = float(np.mean(hits))
    return {"share": p, "se": round(math.sqrt(p * (1 - p) / len(hits)), 4)}


if __name__ == "__main__":
    sys.exit(main())
