"""Toy chains at once against the plain scripts that people write for them, chain by chain.

    python benchmarks/zoo.py [--out results/bench-zoo.json]

Each plain script is a loop over rounds and chains, as in a notebook: in NumPy, and for kernels also with
scikit-learn, as in the code of Kazdan et al. (arXiv 2410.16713), without the test likelihood that it takes in
each round. Both make the same chains in law, in the same run and on one thread, and their means are compared
before the times are. Times are of the processor.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import KernelDensity

from veriloop.chains import simulate
from veriloop.comparison.results import write_results
from veriloop.config import plan_from
from veriloop.executors.threads import limit_threads
from veriloop.loop.plan import Plan

TARGET = 50
"""Times the plain scripts' chains a second, in the median over the kinds."""

Course = NDArray[np.float64]


class Kind(NamedTuple):
    """One kind of chain.

    Attributes:
        name: For people.
        plan: Of the chains at once.
        quantity: Whose last value the means are compared by.
        plain: Makes the quantity of one chain's last model.
        chains: How many the plain script makes.
        times: How many times as many are made at once.
    """

    name: str
    plan: Plan
    quantity: str
    plain: Callable[[np.random.Generator], float]
    chains: int
    times: int


def gaussian(rng: np.random.Generator, n: int = 100, rounds: int = 50) -> float:
    """Fit a normal law, sample it, fit again."""
    data = rng.normal(0, 1, n)
    for _ in range(rounds):
        data = rng.normal(data.mean(), data.std(ddof=1), n)
    return float(data.mean() ** 2)


def gaussian_accumulating(rng: np.random.Generator, n: int = 100, rounds: int = 50) -> float:
    """The same on all data so far."""
    data = rng.normal(0, 1, n)
    for _ in range(rounds):
        data = np.concatenate([data, rng.normal(data.mean(), data.std(ddof=1), n)])
    return float(data.mean() ** 2)


def regression(rng: np.random.Generator, n0: int = 100, p: int = 8, rounds: int = 20) -> float:
    """Least squares on its own labels, real and synthetic ones accumulated."""
    x = np.linalg.qr(rng.standard_normal((n0, p)))[0] * np.sqrt(n0)
    design = np.repeat(np.eye(p), n0, axis=0)
    y = x.sum(axis=1) + rng.normal(0, 1, n0)
    theta = np.linalg.lstsq(x, y)[0]
    for _ in range(rounds):
        x = np.concatenate([x, design])
        y = np.concatenate([y, design @ theta + rng.normal(0, 1, len(design))])
        theta = np.linalg.lstsq(x, y)[0]
    return float(((theta - 1) ** 2).sum())


def categories(rng: np.random.Generator, n: int = 200, rounds: int = 10) -> float:
    """Count, draw pairs, choose one of each by the Bradley-Terry model, count again."""
    reward = np.array([1.0, 0.0])
    data = rng.choice(2, n, p=[0.1, 0.9])
    for _ in range(rounds):
        share = np.bincount(data, minlength=2) / n
        pairs = rng.choice(2, (n, 2), p=share)
        weight = np.exp(reward[pairs])
        first = rng.random(n) < weight[:, 0] / weight.sum(axis=1)
        data = np.where(first, pairs[:, 0], pairs[:, 1])
    return float(np.mean(data == 0))


def kernels(rng: np.random.Generator, n: int = 50, rounds: int = 20, width: float = 0.3) -> float:
    """Draw rows, add noise, replace."""
    data = rng.normal(0, 1, n)
    for _ in range(rounds):
        data = rng.choice(data, n) + rng.normal(0, width, n)
    return float(data.var() + width**2)


def kernels_of_scikit_learn(
    rng: np.random.Generator, n: int = 50, rounds: int = 20, width: float = 0.3
) -> float:
    """The same by a fitted density."""
    density = KernelDensity(bandwidth=width)
    data = rng.normal(0, 1, (n, 1))
    for _ in range(rounds):
        density.fit(data)
        data = np.asarray(density.sample(n, random_state=int(rng.integers(2**31))))
    return float(data.var() + width**2)


def chain(rounds: int, n: int, **parts: object) -> Plan:
    """A plan of one arm."""
    arm = {"policy": parts.pop("policy", "replace")}
    shared = {"rounds": rounds, "schedule": {"kind": "constant", "n": n}, "arms": {"arm": arm}}
    return plan_from({**shared, **parts})


NORMAL = {"kind": "mixture", "start": 100}
LINEAR = {
    "dataset": {"kind": "linear", "theta_star": [1] * 8, "n0": 100},
    "learner": "ols",
    "balance": "direction",
}
CURATED = {
    "dataset": {"kind": "categories", "shares": [0.1, 0.9], "start": 200},
    "learner": "discrete",
    "verifier": {"kind": "score_table", "scores": [1, 0]},
    "acceptance": {"kind": "choice", "k": 2},
}
KERNELS = {
    "dataset": {"kind": "mixture", "start": 50},
    "learner": {"kind": "kde", "bandwidth": 0.3},
}


def kinds() -> list[Kind]:
    """What is measured: the settings of the collapse zoo."""
    replace = chain(50, 100, dataset=NORMAL, learner="gaussian")
    accumulate = chain(50, 100, dataset=NORMAL, learner="gaussian", policy="accumulate")
    least_squares = chain(20, 800, policy="accumulate", **LINEAR)
    curated, kernel = chain(10, 200, **CURATED), chain(20, 50, **KERNELS)
    return [
        Kind("gaussian, replace", replace, "mean_error", gaussian, 300, 100),
        Kind("gaussian, accumulate", accumulate, "mean_error", gaussian_accumulating, 300, 100),
        Kind("regression, accumulate", least_squares, "parameter_error", regression, 20, 1000),
        Kind("categories, choice of 2", curated, "share_0", categories, 300, 100),
        Kind("kernels, in NumPy", kernel, "covariance_trace", kernels, 300, 20),
        Kind("kernels, scikit-learn", kernel, "covariance_trace", kernels_of_scikit_learn, 20, 300),
    ]


class Measured(NamedTuple):
    """Chains a second both ways, and how far apart their means are."""

    name: str
    plain: float
    at_once: float
    apart: float

    @property
    def ratio(self) -> float:
        """How many times the plain script's."""
        return self.at_once / self.plain


def measure(kind: Kind, seed: int) -> Measured:
    """Make chains of a kind both ways."""
    rng = np.random.default_rng(seed)
    kind.plain(rng)
    began = time.process_time()
    plain = np.array([kind.plain(rng) for _ in range(kind.chains)])
    took = time.process_time() - began
    n = kind.chains * kind.times
    simulate(kind.plan, "arm", 10)
    began = time.process_time()
    at_once = simulate(kind.plan, "arm", n)[kind.quantity][:, -1]
    error = np.hypot(plain.std(ddof=1) / len(plain) ** 0.5, at_once.std(ddof=1) / n**0.5)
    apart = float((plain.mean() - at_once.mean()) / error)
    return Measured(kind.name, kind.chains / took, n / (time.process_time() - began), apart)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the numbers to this JSON file")
    options = parser.parse_args()
    began = time.perf_counter()
    with limit_threads(1):
        found = [measure(kind, options.seed) for kind in kinds()]
    for m in found:
        print(
            f"{m.name:24} plain {m.plain:9,.0f} chains/s, at once {m.at_once:11,.0f}: {m.ratio:6,.0f} times"
            f" (means {m.apart:+.1f} standard errors apart)"
        )
    # The median, because one kind alone (least squares on ever more rows) would carry a mean.
    median = float(np.median([m.ratio for m in found]))
    sound = median >= TARGET and all(abs(m.apart) < 4 for m in found)
    print(f"median over the kinds: {median:,.0f} times the plain scripts' chains a second (target {TARGET})")
    if options.out:
        numbers = [{**m._asdict(), "ratio": m.ratio} for m in found]
        command = f"python benchmarks/zoo.py --seed {options.seed} --out results/bench-zoo.json"
        write_results(
            options.out, command, time.perf_counter() - began, (), kinds=numbers, median=median, target=TARGET
        )
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
