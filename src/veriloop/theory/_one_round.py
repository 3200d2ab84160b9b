"""One round of verified retraining: Theorem 3.1 of the paper, and the same quantity without its remainder."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ._quadrature import gaussian
from ._system import LinearSystem
from ._truncated import truncated_moments
from .validation import Floats, sample_sizes

Method: TypeAlias = Literal["expansion", "exact"]
"""``expansion``: Theorem 3.1, second order in 1/mu. ``exact``: a quadrature over theta_0, no remainder."""


@dataclass(frozen=True, eq=False)
class OneRound:
    """The error after one round; attributes have the shape of ``n`` unless stated otherwise.

    Attributes:
        mse: ``E ||theta_1 - theta*||^2``.
        baseline: ``E ||theta_0 - theta*||^2``, without retraining; shape ``()``.
        synthetic_variance: The part of ``mse`` due to finitely many accepted samples, ``sum_j sigma^2 k2_j /
            n``.
        verification_error: The part that stays as n grows: the pull to theta_c and what remains of theta_0's
            error.
        per_direction: ``mse`` split over the directions v_j, shape ``n.shape + (p,)``.
        acceptance_rate: Probability that a fresh synthetic sample gets a Yes, mean over directions; shape
            ``()``. The expansion takes it at theta*, the exact method averages over theta_0.
    """

    mse: Floats
    baseline: Floats
    synthetic_variance: Floats
    verification_error: Floats
    per_direction: Floats
    acceptance_rate: Floats

    @property
    def log_gain(self) -> Floats:
        """Half the log of ``baseline / mse``: above 0 where retraining helps (the paper's heat map)."""
        return 0.5 * np.log(self.baseline / self.mse)


def one_round_mse(system: LinearSystem, n: ArrayLike, method: Method = "expansion") -> OneRound:
    """Return the error after one round with ``n`` accepted samples in each direction (block design).

    With Z_j standard normal truncated to ``[offset_j - b, offset_j + b]`` and cumulants k1, k2, k3, Theorem
    3.1 gives ``mse / sigma^2 = sum_j [k2/n + k1^2 + (k1 k3 + k2^2) / mu_j^2] + O(n0^(-4/3))``. The exact
    method averages ``(E[theta_1 | theta_0] - theta*)^2 + sigma^2 k2 / n`` over the Gaussian theta_0, to about
    1e-13.

    Args:
        system: The linear system.
        n: Accepted samples per direction; any shape, whole numbers from 1 up, or inf.
        method: ``expansion`` (Theorem 3.1) or ``exact``.

    Raises:
        DomainError: ``n`` or ``method`` is invalid.
    """
    sizes = sample_sizes(n)
    parts = round_parts(system.offsets, np.asarray(system.half_width), system.spreads, method)
    step, kept, rate = parts[0] * system.sigma**2, parts[1] * system.sigma**2, parts[2]
    per_direction = step / sizes[..., None] + kept
    return OneRound(
        mse=per_direction.sum(axis=-1),
        baseline=np.float64(system.baseline),  # pyright: ignore[reportArgumentType]
        synthetic_variance=step.sum() / sizes,
        verification_error=np.broadcast_to(kept.sum(), sizes.shape)[()],
        per_direction=per_direction,
        acceptance_rate=rate.mean(),
    )


def round_parts(offset: Floats, half_width: Floats, spread: Floats, method: Method) -> Floats:
    """Return the effect of one round along single directions, without n and sigma; arguments broadcast.

    Args:
        offset: ``v^T (theta_c - theta*) / sigma``.
        half_width: ``b = (r + sigma_c) / sigma``.
        spread: ``1 / mu``.
        method: As in :func:`one_round_mse`.

    Returns:
        Three rows stacked on a new first axis: the synthetic variance for n = 1, the verification error (both
        in units of sigma^2), and the acceptance rate.

    Raises:
        DomainError: ``method`` is unknown.
    """
    if method == "expansion":
        log_mass, k1, (k2, k3) = truncated_moments(offset - half_width, offset + half_width, order=3)
        return np.stack(np.broadcast_arrays(k2, k1**2 + (k1 * k3 + k2**2) * spread**2, np.exp(log_mass)))
    if method == "exact":
        offset, half_width, spread = np.broadcast_arrays(offset, half_width, spread)
        z, weights = gaussian(float(np.max(spread)))
        start = spread[..., None] * z  # theta_0 - theta*
        center = offset[..., None] - start
        b = half_width[..., None]
        log_mass, mean, (variance,) = truncated_moments(center - b, center + b, order=2)
        return np.stack([variance @ weights, (start + mean) ** 2 @ weights, np.exp(log_mass) @ weights])
    raise DomainError("unknown method", got=str(method), expected=" or ".join(get_args(Method)))
