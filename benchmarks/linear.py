"""Speed of the linear system against plain baselines measured in the same run.

Run ``python benchmarks/linear.py`` on an idle machine (``--paper`` runs the full 300 x 150 Monte Carlo grid).
Each line gives a measured figure, the target where there is one, and whether it is met; the exit status is 1
when one is missed.

Baselines, as one would write them first:

- Monte Carlo: a Python loop over replicates and directions, rejection sampling in batches of 2,000 normals.
- Theory: a Python loop over cells that calls the library's own ``one_round_mse`` for each; and one that
  evaluates Theorem 3.1 with ``scipy.stats.truncnorm``, direction by direction.
- Random numbers: numpy float32 standard normals, one thread per core.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import psutil
from scipy.stats import truncnorm

from veriloop.executors.process import Process
from veriloop.executors.threads import limit_threads
from veriloop.linear import simulate, simulate_grid
from veriloop.theory import LinearSystem, Method, one_round_grid, one_round_mse, trajectory_grid

N, REPLICATES = 100, 100
DESIGN = np.random.default_rng(5).standard_normal((100, 8))
BIASES, RADII = np.linspace(0, 0.7, 300), np.linspace(0.01, 0.5, 300)


def paper_system() -> LinearSystem:
    rng = np.random.default_rng(0)
    star, direction = np.ones(8), rng.standard_normal(8)
    center = star + 0.35 * direction / np.linalg.norm(direction)
    return LinearSystem.from_design(DESIGN, theta_star=star, theta_c=center, radius=0.4)


def seconds(function: Callable[[], object], repeats: int = 3) -> float:
    """The best of several timings, after one call to warm up."""
    function()
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        best = min(best, time.perf_counter() - start)
    return best


def plain_replicate(system: LinearSystem, rng: np.random.Generator) -> float:
    """One replicate of one round: fit the real data, loop over directions and batches of 2,000 labels."""
    star, center = system.theta_star, system.theta_c
    start, *_ = np.linalg.lstsq(DESIGN, DESIGN @ star + rng.standard_normal(len(DESIGN)))
    estimate = np.zeros(8)
    for direction in system.directions:
        kept: list[float] = []
        while len(kept) < N:
            labels = direction @ start + rng.standard_normal(2000)
            accepted = np.abs(labels - direction @ center) <= system.radius + system.sigma_c
            kept.extend(labels[accepted].tolist())
        estimate += np.mean(kept[:N]) * direction
    return float(np.sum((estimate - star) ** 2))


def library_theory_cells(
    system: LinearSystem, cells: list[tuple[float, float]], method: Method
) -> list[float]:
    """A loop over cells that builds each system and asks the library about it."""
    return [float(one_round_mse(system.moved(bias=b, radius=r), N, method).mse) for b, r in cells]


def plain_theory_cells(system: LinearSystem, cells: list[tuple[float, float]]) -> list[float]:
    """A loop over cells and directions: Theorem 3.1 with scipy's truncated normal."""
    along = system.directions @ system.bias_direction
    errors = []
    for bias, radius in cells:
        half_width, total = radius + system.sigma_c, 0.0
        for offset, mu in zip(bias * along, system.singular_values, strict=True):
            law = truncnorm(offset - half_width, offset + half_width)
            k1, k2, skewness = (float(x) for x in law.stats(moments="mvs"))
            total += k2 / N + k1**2 + (k1 * skewness * k2**1.5 + k2**2) / mu**2
        errors.append(total)
    return errors


def normals_per_second() -> float:
    """Plain float32 normals per second, all cores."""
    cores, count = os.cpu_count() or 1, 1 << 16
    generators = [np.random.default_rng(i) for i in range(cores)]
    buffers = [np.empty(count, np.float32) for _ in range(cores)]

    def fill(i: int) -> None:
        for _ in range(200):
            generators[i].standard_normal(dtype=np.float32, out=buffers[i])

    def run() -> None:
        threads = [threading.Thread(target=fill, args=(i,)) for i in range(cores)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return 200 * count * cores / seconds(run, repeats=5)


class PeakMemory:
    """Highest resident memory of this process and its children, polled, in MB."""

    def __enter__(self) -> "PeakMemory":
        self.megabytes = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _poll(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.05):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().uss
                except psutil.NoSuchProcess:
                    continue
            self.megabytes = max(self.megabytes, total / 1e6)


class Report:
    """Prints one line per figure and remembers whether all targets were met."""

    def __init__(self) -> None:
        self.failed = False

    def line(
        self, name: str, value: float, unit: str = "", at_least: float = -np.inf, at_most: float = np.inf
    ) -> None:
        """Print ``value`` beside its target."""
        met = at_least <= value <= at_most
        self.failed |= not met
        target = f">= {at_least:g}" if at_least > -np.inf else f"<= {at_most:g}" if at_most < np.inf else ""
        verdict = ("met" if met else "MISSED") if target else ""
        print(f"{name:<58}{value:>14.4g} {unit:<12}{target:>10} {verdict}", flush=True)


def bench_theory(system: LinearSystem, report: Report) -> None:
    cells = BIASES.size * RADII.size
    rng = np.random.default_rng(1)
    sample = [(float(rng.choice(BIASES)), float(rng.choice(RADII))) for _ in range(60)]
    methods: tuple[Method, ...] = ("expansion", "exact")
    for method in methods:
        grid = seconds(partial(one_round_grid, system, BIASES, RADII, N, method), repeats=10)
        loop = seconds(partial(library_theory_cells, system, sample, method)) / len(sample) * cells
        report.line(f"theory 300 x 300 x 8, {method}", 1e3 * grid, "ms", at_most=100)
        report.line("  over a loop of one_round_mse", loop / grid, "x", at_least=300)
        if method == "expansion":
            plain = seconds(partial(plain_theory_cells, system, sample[:10]), repeats=1) / 10 * cells
            report.line("  over a loop of scipy.stats.truncnorm", plain / grid, "x", at_least=300)
    curves = seconds(partial(trajectory_grid, system, BIASES[::3], RADII[::3], N, 20))
    report.line("trajectories of 20 rounds and regimes, 100 x 100", 1e3 * curves, "ms", at_most=100)


def bench_monte_carlo(system: LinearSystem, report: Report) -> None:
    rng = np.random.default_rng(2)
    plain = seconds(lambda: [plain_replicate(system, rng) for _ in range(20)]) / 20
    count = 40_000
    executor = Process()
    ours = seconds(lambda: simulate(system, N, 1, count, 3, executor=executor)) / count
    one_core = seconds(lambda: simulate(system, N, 1, count // 4, 3)) / (count // 4)
    report.line("Monte Carlo, one replicate, all cores", 1e6 * ours, "us")
    report.line("  over a loop with batches of 2,000", plain / ours, "x", at_least=100)
    report.line("  the same on one core", plain / one_core, "x", at_least=50)
    normals = normals_per_second()
    report.line("plain float32 normals, all cores", normals / 1e6, "M/s")
    report.line("accepted draws, all cores", 8 * N / ours / 1e6, "M/s")
    report.line("  per plain normal", 8 * N / ours / normals, "", at_least=0.35)


def bench_grid(system: LinearSystem, report: Report, columns: int) -> None:
    radii = np.linspace(0.01, 0.5, columns)
    with PeakMemory() as memory:
        start = time.perf_counter()
        run = simulate_grid(system, BIASES, radii, N, REPLICATES, seed=4, executor=Process())
        elapsed = time.perf_counter() - start
    exact = one_round_grid(system, BIASES, radii, N)
    report.line(f"Monte Carlo grid 300 x {columns} x 100 replicates", elapsed, "s")
    report.line("  peak memory, all processes", memory.megabytes, "MB", at_most=500)
    share = float(np.mean(np.abs(run.mse - exact.mse) <= 3 * run.mse_se))
    report.line("  cells within 3 standard errors of the exact theory", share, "", at_least=0.985)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--paper", action="store_true", help="the full 300 x 150 Monte Carlo grid (3.6e9 draws)"
    )
    arguments = parser.parse_args()
    report, system = Report(), paper_system()
    with limit_threads(1):  # its matrix products are too small to share
        bench_theory(system, report)
    bench_monte_carlo(system, report)
    bench_grid(system, report, columns=150 if arguments.paper else 15)
    return int(report.failed)


if __name__ == "__main__":
    sys.exit(main())
