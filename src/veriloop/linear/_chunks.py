"""A chunk of replicates taken through all rounds: the work item of an executor.

Coordinates: a chain's state is ``delta = A (theta - theta_c) / sigma`` in the basis ``A`` of the design, so
the verifier accepts a label along a basis vector when it lies within ``half_width`` of 0.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..executors.threads import limit_threads
from ..rng import START, Address, Stage
from ..theory import LinearSystem, truncated_moments
from ._isotropic import isotropic_round
from ._proposals import Floats
from ._sampling import Precision, accepted_means

Design: TypeAlias = Literal["block", "standard", "isotropic"]
Sampling: TypeAlias = Literal["exact", "clt"]


@dataclass(frozen=True, eq=False)
class Job:
    """Data that all chunks of one simulation share.

    Attributes:
        system: The linear system.
        sizes: Accepted samples per direction for rounds 1..K, shape ``(K,)``.
        seed: The run's seed.
        design: Covariates of the synthetic data.
        verified: Whether the verifier filters.
        sampling: Exact draws, or their Gaussian limit.
        precision: Precision of single draws.
        device: The torch device that draws; NumPy when None.
    """

    system: LinearSystem
    sizes: NDArray[np.int64]
    seed: int
    design: Design
    verified: bool
    sampling: Sampling
    precision: Precision
    device: str | None


@dataclass(frozen=True, eq=False)
class Tally:
    """Count, mean and sum of squared deviations of squared errors; arrays of shape ``(2, K + 1)``.

    The first axis is the distance to theta* and to theta_c, in units of sigma^2.
    """

    count: int
    mean: Floats
    deviation: Floats

    @classmethod
    def of(cls, values: Floats) -> "Tally":
        """Compute from values with replicates on the last axis."""
        mean = values.mean(axis=-1)
        return cls(values.shape[-1], mean, ((values - mean[..., None]) ** 2).sum(axis=-1))

    def merge(self, other: "Tally") -> "Tally":
        """Merge two tallies by Chan, Golub and LeVeque (1979), which avoids cancellation."""
        count = self.count + other.count
        shift = other.mean - self.mean
        return Tally(
            count,
            self.mean + shift * (other.count / count),
            self.deviation + other.deviation + shift**2 * (self.count * other.count / count),
        )

    @property
    def standard_error(self) -> Floats:
        """Standard error of the mean; NaN for a single replicate."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.sqrt(self.deviation / (np.float64(self.count - 1) * self.count))


def run_chunk(job: Job, item: tuple[int, range]) -> Tally:
    """Simulate ``item = (chunk, replicates)``; depends only on its arguments."""
    chunk, replicates = item[0], len(item[1])
    system = job.system
    offset = (system.theta_c - system.theta_star) / system.sigma
    basis = system.directions if job.design == "block" else np.eye(system.dimension)
    offset = basis @ offset
    arm = "verified" if job.verified else "unverified"
    errors = np.empty((2, len(job.sizes) + 1, replicates))
    with limit_threads(1):
        noise = (
            Address(job.seed, START, 0, Stage.DATA, chunk)
            .rng()
            .standard_normal((replicates, system.dimension))
        )
        # theta_0 - theta* is independent along the singular vectors v_j, whatever the synthetic design.
        state = (noise * system.spreads) @ system.directions @ basis.T - offset
        for k in range(len(job.sizes) + 1):
            if k:
                rng = Address(job.seed, arm, k, Stage.GENERATE, chunk).rng()
                state = _next_state(job, state, int(job.sizes[k - 1]), rng)
            errors[0, k] = ((state + offset) ** 2).sum(axis=1)
            errors[1, k] = (state**2).sum(axis=1)
    return Tally.of(errors)


def _next_state(job: Job, state: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Run one round for a chunk: generate from each chain, verify, refit by least squares."""
    system = job.system
    if job.design == "isotropic":
        radius = system.radius / system.sigma if job.verified else np.inf
        return isotropic_round(state, n, radius, system.sigma_c / system.sigma, rng, job.precision)
    if not job.verified:  # the mean of n normals is a normal: exact
        return state + rng.standard_normal(state.shape) / np.sqrt(n)
    u = state.ravel()
    b = system.half_width
    if job.sampling == "clt":
        _, mean, (variance,) = truncated_moments(-b - u, b - u, order=2)
        noise = mean + np.sqrt(variance / n) * rng.standard_normal(u.shape)
    else:
        noise = accepted_means(-b - u, b - u, n, rng, job.precision, job.device)
    return (u + noise).reshape(state.shape)
