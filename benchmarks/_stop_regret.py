"""What stop rules cost on random linear chains, for `forecast_skill.py`."""

from typing import Any

import numpy as np
from scipy.stats import truncnorm

from veriloop.advise.stop import Stop
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.theory import LinearSystem

CHAINS, ROUNDS = 200, 12
NAIVE = {f"patience {k}": Stop(when="plateau", quantity="error", patience=k) for k in (1, 2, 3, 4, 5)}
RULES = {**NAIVE, "forecast": Stop(when="forecast", quantity="error")}


def stop_regret(reporting: bool) -> dict[str, dict[str, Any]]:
    """Of each rule: the rounds after which it stops, and the regret of shipping the best until then.

    Regret is the error of the round shipped less that of the chain's best of all `ROUNDS`, as a share of the
    start model's error. Beside that of the forecast: that of patience at equally many rounds, interpolated,
    and the paired difference with its standard error.
    """
    chains = [linear_chain([4, reporting, number]) for number in range(CHAINS)]
    rounds = {name: np.array([_end(rule, chain) for chain in chains]) for name, rule in RULES.items()}
    values = np.array([[r.metrics["error"].value for r in chain] for chain in chains])
    best_until = np.minimum.accumulate(values, axis=1)
    regret = {
        name: (best_until[np.arange(CHAINS), ends] - best_until[:, -1]) / values[:, 0]
        for name, ends in rounds.items()
    }
    found: dict[str, dict[str, Any]] = {
        name: {
            "rounds": round(float(ends.mean()), 3),
            "regret": round(float(regret[name].mean()), 5),
            "regret_se": round(float(regret[name].std() / np.sqrt(CHAINS)), 5),
        }
        for name, ends in rounds.items()
    }
    means = np.array([rounds[name].mean() for name in NAIVE])
    at = float(np.interp(rounds["forecast"].mean(), means, np.arange(len(means))))
    low, high = (list(NAIVE)[int(n)] for n in (np.floor(at), np.ceil(at)))
    mixed = (1 - at % 1) * regret[low] + (at % 1) * regret[high]
    difference = regret["forecast"] - mixed
    found["forecast"] |= {
        "patience_at_equal_rounds": round(float(mixed.mean()), 5),
        "difference": round(float(difference.mean()), 5),
        "difference_se": round(float(difference.std() / np.sqrt(CHAINS)), 5),
    }
    return found


def linear_chain(seed: list[int]) -> list[RoundRecord]:
    """One chain of a random linear system: the truth has the distance ``bias`` from the knowledge center."""
    rng = np.random.default_rng(seed)
    dimension, n = int(rng.integers(2, 9)), int(rng.integers(50, 2_000))
    bias = rng.choice([0.0, 1.0], p=[0.2, 0.8]) * rng.uniform(0, 0.5)
    direction = rng.standard_normal(dimension)
    star = bias * direction / np.linalg.norm(direction)
    mu = np.sqrt(rng.integers(20, 400))
    system = LinearSystem(star, np.zeros(dimension), bias + rng.uniform(0, 0.8), singular_values=mu)
    theta, b = star + rng.standard_normal(dimension) / mu, system.half_width
    records: list[RoundRecord] = []
    for k in range(ROUNDS + 1):
        # sigma is 1 and the directions are the axes, so each coordinate is a chain by itself.
        if k:
            accepted = truncnorm.rvs(-b - theta, b - theta, theta, size=(n, dimension), random_state=rng)
            theta = np.asarray(accepted).mean(axis=0)
        error = Estimate(float(np.sum((theta - star) ** 2)), 0.0)
        counts = Counts(kept=n if k else 0)
        records.append(
            RoundRecord(
                arm="verified", round=k, counts=counts, trained_on=n, metrics={"error": error}, seconds={}
            )
        )
    return records


def _end(rule: Stop, chain: list[RoundRecord]) -> int:
    quantities = {"error": Quantity(better="lower", low=0)}
    ends = (k for k in range(len(chain)) if rule.decide(chain[: k + 1], quantities))
    return next(ends, len(chain) - 1)
