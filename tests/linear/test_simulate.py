"""Simulated chains against the exact theory, within Monte Carlo error."""

import pickle
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

from veriloop.errors import DomainError, ExhaustedError
from veriloop.executors.process import Process
from veriloop.linear import Design, Simulation, simulate, simulate_grid
from veriloop.theory import LinearSystem, long_run_bound, one_round_grid, one_round_mse, trajectory


def paper_system(bias: float = 0.3, radius: float = 0.4, p: int = 4, sigma: float = 1.0) -> LinearSystem:
    rng = np.random.default_rng(0)
    star, direction = np.ones(p), rng.standard_normal(p)
    center = star + bias * direction / np.linalg.norm(direction)
    return LinearSystem.from_design(
        rng.standard_normal((60, p)),
        theta_star=star,
        theta_c=center,
        radius=radius,
        sigma=sigma,
        allow_outside=True,
    )


def random_system(rng: np.random.Generator, p: int) -> LinearSystem:
    rows = np.linalg.qr(rng.standard_normal((p, p)))[0]
    bias = rng.uniform(0, 1.5)
    mu = 10 ** rng.uniform(0, 1.5, p)
    radius = bias + 10 ** rng.uniform(-2, 0.3)
    return LinearSystem(np.zeros(p), bias * rows[0], radius, singular_values=mu, directions=rows)


def share_within_three_errors(systems: int, replicates: int, p: int, most: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    hits = 0
    for i in range(systems):
        system, n = random_system(rng, p), int(rng.integers(1, most + 1))
        run = simulate(system, n, 1, replicates, seed=i)
        hits += abs(run.mse_star[1] - one_round_mse(system, n, "exact").mse) <= 3 * run.mse_star_se[1]
    return hits / systems


def test_exact_theory_within_three_errors_in_99_percent_of_200_systems():
    assert share_within_three_errors(200, 10_000, p=2, most=5, seed=1) >= 0.99


@pytest.mark.slow
def test_exact_theory_within_three_errors_of_a_million_replicates():
    assert share_within_three_errors(200, 1_000_000, p=1, most=2, seed=2) >= 0.99


def test_many_rounds_follow_the_exact_trajectory():
    for n, sigma in ((20, 1.0), (np.array([5, 50, 10, 200, 7, 30]), 2.5)):
        system = paper_system(sigma=sigma)
        run, exact = simulate(system, n, 6, 20_000, seed=4), trajectory(system, n, 6)
        assert np.all(np.abs(run.mse_star - exact.mse_star) < 4 * run.mse_star_se)
        assert np.all(np.abs(run.mse_center - exact.mse_center) < 4 * run.mse_center_se)
        assert np.all(run.mse_center < long_run_bound(system, n, 6) + 4 * run.mse_center_se)


def test_standard_design_follows_its_own_theory():
    """With equal singular values the start is isotropic, so the axes are as good a basis as any."""
    system = LinearSystem([0.0, 0.0], [0.3, 0.4], 0.5, singular_values=6.0)
    run = simulate(system, 30, 4, 20_000, seed=5, design="standard")
    assert np.all(np.abs(run.mse_star - trajectory(system, 30, 4).mse_star) < 4 * run.mse_star_se)


def test_isotropic_design_behaves_like_the_block_design():
    block, isotropic = (
        simulate(paper_system(), 100, 5, 2_000, seed=6, design=d) for d in ("block", "isotropic")
    )
    np.testing.assert_allclose(isotropic.mse_star, block.mse_star, rtol=0.15)
    assert isotropic.mse_center[5] < 0.5 * isotropic.mse_center[0]


def test_isotropic_without_verifier_is_ordinary_least_squares():
    """E tr (X^T X)^-1 is known for Gaussian X (inverse Wishart): p^2 / (p n - p - 1) here."""
    system = paper_system(p=3)
    run = simulate(system, 20, 2, 20_000, seed=7, design="isotropic", verified=False)
    step = 3 * 3 / (3 * 20 - 3 - 1)
    expected = system.baseline + step * np.arange(3)
    assert np.all(np.abs(run.mse_star - expected) < 4 * run.mse_star_se)


def test_unverified_chains_collapse():
    system, n, rounds = paper_system(), 25, 40
    run = simulate(system, n, rounds, 4_000, seed=8, verified=False)
    expected = system.baseline + 4 / n * np.arange(rounds + 1)
    assert np.all(np.abs(run.mse_star - expected) < 4.5 * run.mse_star_se)
    assert run.mse_star[-1] > 20 * run.mse_star[0]


@pytest.mark.parametrize("radius", [0.0, 0.5, 1.5])
def test_every_radius_ends_at_the_center(radius: float):
    system = paper_system(bias=1.0, radius=radius)
    run, exact = simulate(system, 200, 40, 500, seed=9), trajectory(system, 200, 40)
    assert abs(run.mse_center[-1] - exact.mse_center[-1]) < 4 * run.mse_center_se[-1]
    assert run.mse_center[-1] < 0.15
    assert abs(run.mse_star[-1] - 1.0) < 0.3


def test_arms_share_their_start():
    verified, unverified = (simulate(paper_system(), 10, 1, 50, seed=3, verified=v) for v in (True, False))
    assert verified.mse_star[0] == unverified.mse_star[0]
    assert verified.mse_star[1] != unverified.mse_star[1]


def test_clt_sampling_is_close_and_named():
    system = paper_system()
    run, exact = simulate(system, 100, 4, 20_000, seed=10, sampling="clt"), trajectory(system, 100, 4)
    assert np.all(np.abs(run.mse_star - exact.mse_star) < 4 * run.mse_star_se)


def test_float64_draws_agree():
    system = paper_system()
    run = simulate(system, 30, 3, 10_000, seed=11, precision="float64")
    assert np.all(np.abs(run.mse_star - trajectory(system, 30, 3).mse_star) < 4 * run.mse_star_se)


class Backwards:
    """An executor that computes the last item first and pickles everything on the way."""

    def map(self, function: Any, items: Iterable[Any], shared: Any = None) -> Iterator[Any]:
        function, work, shared = pickle.loads(pickle.dumps((function, list(items), shared)))
        results = [function(shared, item) for item in work[::-1]]
        return iter(results[::-1])


def assert_same(first: Simulation, second: Simulation) -> None:
    for name in ("mse_star", "mse_star_se", "mse_center", "mse_center_se"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_results_do_not_depend_on_who_computes():
    system = paper_system()
    designs: tuple[Design, ...] = ("isotropic", "block")
    for design in designs:
        run = partial(simulate, system, 2_000, 2, 600, 12, design)
        assert_same(run(), run(executor=Backwards()))
        assert_same(run(), run(executor=Process(workers=2)))
    grid = (system, np.linspace(0, 0.5, 7), np.linspace(0.1, 0.5, 6), 500, 40, 3)
    here, there = simulate_grid(*grid), simulate_grid(*grid, executor=Backwards())
    np.testing.assert_array_equal(here.mse, there.mse)


def test_seed_decides():
    system = paper_system()
    first, again, other = (simulate(system, 20, 2, 100, seed) for seed in (1, 1, 2))
    assert_same(first, again)
    assert np.all(first.mse_star != other.mse_star)


def test_grid_follows_the_theory_in_98_5_percent_of_cells():
    system = paper_system(p=8)
    biases, radii = np.linspace(0, 0.7, 30), np.linspace(0.01, 0.5, 15)
    run, exact = (
        simulate_grid(system, biases, radii, 100, 100, seed=1),
        one_round_grid(system, biases, radii, 100),
    )
    assert run.mse.shape == (30, 15)
    assert np.mean(np.abs(run.mse - exact.mse) <= 3 * run.mse_se) >= 0.985
    z = (run.mse - exact.mse) / run.mse_se
    assert abs(z.mean()) < 0.3  # a little below 0: small means come with small errors
    np.testing.assert_allclose(run.start.mean(), system.baseline, rtol=0.02)
    np.testing.assert_allclose(run.log_gain, exact.log_gain, atol=0.4)


def test_a_single_replicate_has_no_standard_error():
    run = simulate(paper_system(), 10, 1, 1, seed=1)
    assert np.all(np.isnan(run.mse_star_se))
    assert run.replicates == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "n is not a sample size"),
        ({"n": np.inf}, "n is infinite"),
        ({"n": [10]}, "schedule does not cover"),
        ({"rounds": 0}, "rounds is not a count"),
        ({"replicates": 0}, "replicates is not a count"),
        ({"seed": -1}, "seed is not a count"),
        ({"design": "random"}, "expected block or standard or isotropic"),
        ({"sampling": "fast"}, "sampling is unknown"),
        ({"precision": "float16"}, "precision is unknown"),
        ({"sampling": "clt", "design": "isotropic"}, "no clt sampling"),
    ],
)
def test_bad_arguments_are_refused(changes: dict[str, Any], message: str):
    arguments: dict[str, Any] = {"n": 10, "rounds": 2, "replicates": 5, "seed": 1} | changes
    with pytest.raises(DomainError, match=message):
        simulate(paper_system(), **arguments)


def test_bad_grids_are_refused():
    with pytest.raises(DomainError, match="replicates"):
        simulate_grid(paper_system(), [0.1], [0.1], 10, 1, 1)
    with pytest.raises(DomainError, match="radii"):
        simulate_grid(paper_system(), [0.1], [-0.1], 10, 5, 1)
    silent = LinearSystem([0.0], [0.1], 0.2, sigma_c=0.0, singular_values=1.0)
    with pytest.raises(DomainError, match="never accepts"):
        simulate_grid(silent, [0.1], [0.0], 10, 5, 1)


def test_isotropic_design_gives_up_on_a_verifier_that_accepts_nothing():
    system = LinearSystem([0.0], [0.0], 1e-9, sigma_c=0.0, singular_values=1.0)
    with pytest.raises(ExhaustedError, match="accepts almost nothing"):
        simulate(system, 1, 1, 1, seed=1, design="isotropic")
