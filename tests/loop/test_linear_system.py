"""The engine, the fast simulation and the theory tell the same of the linear system."""

from pathlib import Path

import numpy as np
import pytest

from veriloop.config import load_plan, plan_from
from veriloop.executors.serial import Serial
from veriloop.learners.ols import OLS
from veriloop.linear import simulate
from veriloop.loop import Context, begin, step
from veriloop.metrics.base import Evaluation
from veriloop.metrics.parameter_error import ParameterError
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.testing import check_dataset, check_learner, check_metric, check_verifier
from veriloop.theory import LinearSystem, trajectory
from veriloop.verifiers.knowledge_ball import KnowledgeBall

STAR, CENTER, RADIUS, N0, N, ROUNDS = (1.0, -1.0, 0.5), (1.2, -0.9, 0.5), 0.4, 40, 25, 3
SEEDS = 250


def _plan(seed: int, arm: str):
    return plan_from(
        {
            "seed": seed,
            "rounds": ROUNDS,
            "dataset": {"kind": "linear", "theta_star": STAR, "n0": N0},
            "learner": "ols",
            "verifier": {"kind": "knowledge_ball", "center": CENTER, "radius": RADIUS},
            "acceptance": "accept_all",
            "balance": "direction",
            "schedule": {"kind": "constant", "n": 3 * N},
            "metrics": [{"kind": "parameter_error", "truth": STAR}],
            "arms": [arm],
            "evaluation_samples": 3,
            "chunk_size": 200,
        }
    )


def _errors(arm: str) -> np.ndarray:
    """Squared parameter error by seed and round, of the engine's own steps."""
    rows = []
    for seed in range(SEEDS):
        plan = _plan(seed, arm)
        context = Context(plan, arm, plan.dataset.load(seed), Serial(), lambda event: None)
        state, record = begin(context)
        row = [record.metrics["parameter_error"].value]
        for _ in range(ROUNDS):
            state, record = step(state, context)
            row.append(record.metrics["parameter_error"].value)
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("arm", ["verified", "unverified"])
def test_engine_simulation_and_theory_agree(arm):
    system = LinearSystem(STAR, CENTER, RADIUS, singular_values=np.sqrt(N0))
    engine = _errors(arm)
    mean, se = engine.mean(axis=0), engine.std(axis=0, ddof=1) / np.sqrt(SEEDS)
    simulated = simulate(system, N, ROUNDS, 4000, seed=1, verified=arm == "verified")
    both = np.hypot(se, simulated.mse_star_se)
    # Four numbers an arm, at 4 standard errors: a false alarm in fewer than one of a thousand runs.
    assert np.all(np.abs(mean - simulated.mse_star) < 4 * both)
    if arm == "verified":
        exact = trajectory(system, N, ROUNDS).mse_star
    else:  # noise alone: each round adds p sigma^2 / n
        exact = 3 / N0 + 3 / N * np.arange(ROUNDS + 1)
    assert np.all(np.abs(mean - exact) < 4 * se)


def test_parts_keep_their_contracts():
    data = _plan(0, "verified").dataset
    check_dataset(data)
    real = data.load(0)
    generator = check_learner(OLS(), real.start, real.conditions)
    check_verifier(KnowledgeBall(center=CENTER, radius=RADIUS), generator, real.train, real.conditions)
    drawn = generator.sample(3, Address(0).rng(), real.conditions)
    check_metric(ParameterError(truth=STAR), Evaluation(generator, drawn, real.test))


def test_ols_is_least_squares():
    data = _plan(0, "verified").dataset.load(0)
    theta = OLS().fit(data.start, None, Address(0).rng()).theta
    x, y = data.start.array("x"), data.start.array("y")
    assert np.allclose(x.T @ (y - x @ theta), 0, atol=1e-9)  # the normal equations
    assert np.allclose(np.linalg.svd(x, compute_uv=False), np.sqrt(N0))


def test_the_ball_says_yes_as_in_the_paper():
    ball = KnowledgeBall(center=(1.0, 0.0), radius=0.5, sigma_c=0.2)
    samples = Samples(x=np.array([[2.0, 0.0]] * 4), y=np.array([2.0, 3.19, 3.21, 0.79]))
    assert ball.verify(samples, Address(0).rng()).score.tolist() == [1.0, 1.0, 0.0, 0.0]


def test_the_example_is_a_plan():
    assert load_plan(Path(__file__).parents[2] / "examples" / "linear.yaml").rounds == 20
