"""Many rounds: the contraction towards the knowledge center, and the bound of Theorem 4.1."""

import numpy as np
from numpy.typing import ArrayLike

from ._system import LinearSystem
from ._truncated import truncated_cumulants, truncated_moments
from .validation import Floats, SampleSizes, at_least, finite, schedule


def contraction_rate(half_width: ArrayLike) -> Floats:
    """Return ``rho = k2(-b, b) < 1``, the largest slope of the transfer map.

    This is the share of the distance to the knowledge center that remains after one round, next to the
    center, where the map contracts least (section 4 of the paper).

    Args:
        half_width: ``b = (r + sigma_c) / sigma``, as :attr:`LinearSystem.half_width`; any shape, more than 0.

    Raises:
        DomainError: ``half_width`` is not positive.
    """
    b = at_least("half_width", half_width, 0.0, strict=True)
    return truncated_cumulants(-b, b)[1]


def transfer_map(u: ArrayLike, half_width: ArrayLike) -> Floats:
    """Return ``T(u)``, the expected next position of a chain at ``u``, relative to the center (section 4).

    ``T(u) = u + k1(-b - u, b - u)``: the mean of N(u, 1) truncated to [-b, b]. Its only fixed point is 0.

    Args:
        u: ``v^T (theta - theta_c) / sigma``; any shape.
        half_width: ``b = (r + sigma_c) / sigma``, more than 0, broadcast against ``u``.

    Raises:
        DomainError: ``u`` is NaN or infinite, or ``half_width`` is not positive.
    """
    position, b = finite("u", u), at_least("half_width", half_width, 0.0, strict=True)
    return position + truncated_cumulants(-b - position, b - position)[0]


def acceptance_rate(u: ArrayLike, half_width: ArrayLike) -> Floats:
    """Return the probability that the verifier accepts a label generated at ``u``.

    Arguments as in :func:`transfer_map`.

    Raises:
        DomainError: ``u`` is NaN or infinite, or ``half_width`` is not positive.
    """
    position, b = finite("u", u), at_least("half_width", half_width, 0.0, strict=True)
    return np.exp(truncated_moments(-b - position, b - position, order=2).log_mass)


def long_run_bound(system: LinearSystem, n: SampleSizes, rounds: int) -> Floats:
    """Return the upper bound of Theorem 4.1 on ``E ||theta_k - theta_c||^2`` for k = 0..rounds.

    ``rho^(2k) E ||theta_0 - theta_c||^2 + p sigma^2 sum_(j<k) rho^(2(k-j)-1) / n_j``, where n_j is the size
    of round j + 1. For constant n it falls to ``p sigma^2 rho / (n (1 - rho^2))``.

    Args:
        system: The linear system.
        n: Accepted samples per direction: one number, or one per round.
        rounds: Number of rounds.

    Returns:
        Shape ``(rounds + 1,)``.

    Raises:
        DomainError: ``n`` or ``rounds`` is invalid.
    """
    sizes = schedule(n, rounds)
    rho = float(contraction_rate(system.half_width))
    bound = np.empty(len(sizes) + 1)
    bound[0] = system.bias**2 + system.baseline
    for k, size in enumerate(sizes):
        bound[k + 1] = rho**2 * bound[k] + system.dimension * system.sigma**2 * rho / size
    return bound
