"""Chains of linear regressions on an orthogonal design, see `veriloop.datasets.linear`.

Each direction is a separate mean: a round adds n labels along each, so a model is one number and one amount
of information per direction.
"""

import numpy as np
from numpy.typing import NDArray

from ..datasets.linear import LinearModel
from ..learners.ols import OLS
from ..rules.policy import Accumulate, DataPolicy, Replace

Floats = NDArray[np.float64]


def why_not(dataset: LinearModel, policy: DataPolicy, balance: str | None, n: list[int]) -> str | None:
    """Return why these chains cannot be simulated here, in words; None if they can."""
    if not isinstance(policy, Replace | Accumulate):
        return f"regression with policy {policy.kind!r}"
    if balance != "direction" or any(size % len(dataset.theta_star) for size in n):
        return "labels that are not spread evenly over the directions"
    return None


def courses(
    learner: OLS,
    dataset: LinearModel,
    policy: DataPolicy,
    n: list[int],
    chains: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return ``parameter_error``, the squared distance from the truth, of shape (chains, rounds + 1)."""
    p = len(dataset.theta_star)
    # Errors rather than parameters, because nothing depends on the location of the truth.
    error = dataset.sigma / np.sqrt(dataset.n0) * rng.standard_normal((chains, p))
    known, found = float(dataset.n0), [(error**2).sum(axis=1)]
    for size in n:
        each = size // p
        new = error + learner.sigma / np.sqrt(each) * rng.standard_normal((chains, p))
        if isinstance(policy, Accumulate):
            error = (known * error + each * new) / (known + each)
            known += each
        else:
            error = new
        found.append((error**2).sum(axis=1))
    return {"parameter_error": np.stack(found, axis=1)}
