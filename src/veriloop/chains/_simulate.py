"""Simulate the chains of a plan, in blocks that fit in memory."""

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..datasets.linear import LinearModel
from ..datasets.points import Categories, Mixture
from ..errors import ConfigError
from ..learners.discrete import Discrete
from ..learners.gaussian import Gaussian
from ..learners.kde import KDE
from ..learners.ols import OLS
from ..loop.plan import Arm, Plan
from ..rng import Address
from . import _categories, _points, _regression

BLOCK = 1_000
"""Number of chains per random stream, so that results do not depend on the number of blocks."""

Courses: TypeAlias = Mapping[str, NDArray[np.float64]]
"""Quantities by name, each of shape (chains, rounds + 1): of every chain's models 0, 1, ..."""


def why_not(plan: Plan, arm: str) -> str | None:
    """Return why the chains of an arm cannot be simulated at once, in words; None if they can."""
    setting, sizes = plan.arms[arm], _sizes(plan, arm)
    if setting.train_on == "real":
        return "an arm that trains on real data is not a chain"
    if setting.stop is not None:
        return "a stop rule"
    match plan.learner, plan.dataset:
        case (Gaussian() | KDE()) as learner, Mixture() as dataset:
            return _unverified(setting) or _points.why_not(learner, dataset, setting.policy, sizes)
        case Discrete(), Categories():
            return _categories.why_not(setting.policy, setting.verifier, setting.acceptance)
        case OLS(), LinearModel() as dataset:
            return _unverified(setting) or _regression.why_not(
                dataset, setting.policy, setting.balance, sizes
            )
        case _:
            return f"learner {plan.learner.kind!r} on data {plan.dataset.kind!r}"


def simulate(plan: Plan, arm: str, chains: int) -> Courses:
    """Simulate chains of an arm, each distributed like a run of the plan with another seed.

    Args:
        plan: Plan, whose seed is used for all chains together; executors, metrics and chunks do not matter.
        arm: Name of the arm.
        chains: Number of chains.

    Raises:
        ConfigError: The arm's chains are of an unsupported kind; `why_not` tells in advance.
    """
    if reason := why_not(plan, arm):
        raise ConfigError(
            f"arm {arm!r} cannot be simulated at once", got=reason, fix="run it with the loop: veriloop.run"
        )
    blocks = [
        _block(
            plan, arm, min(BLOCK, chains - first), Address(plan.seed, f"chains of {arm}", chunk=number).rng()
        )
        for number, first in enumerate(range(0, chains, BLOCK))
    ]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _sizes(plan: Plan, arm: str) -> list[int]:
    schedule = plan.arms[arm].schedule
    return [schedule.wanted(k) for k in range(1, plan.rounds + 1)] if schedule else []


def _unverified(setting: Arm) -> str | None:
    return f"verifier {setting.verifier.kind!r}" if setting.verifier else None


def _block(plan: Plan, arm: str, chains: int, rng: np.random.Generator) -> Courses:
    setting, sizes = plan.arms[arm], _sizes(plan, arm)
    match plan.learner, plan.dataset:
        case (Gaussian() | KDE()) as learner, Mixture() as dataset:
            return _points.courses(learner, dataset, setting.policy, sizes, chains, rng)
        case Discrete() as learner, Categories() as dataset:
            how = setting.policy, setting.verifier, setting.acceptance
            return _categories.courses(learner, dataset, *how, sizes, chains, rng)
        case OLS() as learner, LinearModel() as dataset:
            return _regression.courses(learner, dataset, setting.policy, sizes, chains, rng)
        case _:
            raise AssertionError("why_not knows all kinds")
