"""Compare four estimators of theta from the same real data and verifier (section 5 of the paper)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._chain import mean_of_accepted
from ._one_round import round_parts
from ._quadrature import legendre
from ._system import LinearSystem
from ._truncated import truncated_moments
from .validation import Floats, sample_sizes

_NODES = 96
"""Reaches 1e-10 in :func:`_mean_inverse_count` for any count and acceptance rate (checked against the exact
sum)."""

_DEPTH = 45.0
"""The integrand is cut off below exp(-45) of its peak."""


@dataclass(frozen=True, eq=False)
class EstimatorErrors:
    """Mean squared errors ``E ||estimate - theta*||^2``; all of one shape.

    Attributes:
        real: Least squares on all real data.
        filtered_real: Least squares on the real data that the verifier accepts.
        filtered_synthetic: Verified retraining on samples drawn from ``real``: theta_1 of the paper.
        filtered_both: Verified retraining on samples drawn from ``filtered_real``.
    """

    real: Floats
    filtered_real: Floats
    filtered_synthetic: Floats
    filtered_both: Floats

    @property
    def best(self) -> NDArray[np.str_]:
        """Name of the estimator with the smallest error."""
        names = np.array(["real", "filtered_real", "filtered_synthetic", "filtered_both"])
        errors = np.stack([self.real, self.filtered_real, self.filtered_synthetic, self.filtered_both])
        return names[errors.argmin(axis=0)]


def compare_estimators(system: LinearSystem, n: ArrayLike) -> EstimatorErrors:
    """Return the errors of the four estimators; each of shape ``n.shape``.

    The real data are taken in block form, ``mu_j^2`` samples along v_j, so that filtering them leaves a
    binomial number of labels from N(theta*, sigma^2) truncated to the verifier's interval. The errors hold
    given that at least one label is left in each direction. Exact but for ``filtered_both``, where the
    binomial count enters the skewness and higher moments of the start (not its mean and variance) through its
    harmonic mean.

    Args:
        system: The linear system.
        n: Accepted synthetic samples per direction; any shape.

    Raises:
        DomainError: ``n`` is invalid.
    """
    sizes = sample_sizes(n)
    half_width = np.full((), system.half_width)
    errors = estimator_parts(system.offsets, half_width, system.spreads, sizes[..., None]).sum(axis=-1)
    real, filtered, synthetic, both = np.broadcast_arrays(*errors * system.sigma**2)
    return EstimatorErrors(real, filtered, synthetic, both)


def estimator_parts(offset: Floats, half_width: Floats, spread: Floats, n: Floats) -> Floats:
    """Return errors along single directions, in units of sigma^2; arguments broadcast.

    Returns:
        Shape ``(4, ...)``, in the order of :class:`EstimatorErrors`.
    """
    offset, half_width, spread, n = np.broadcast_arrays(offset, half_width, spread, n)
    log_mass, bias, (variance,) = truncated_moments(offset - half_width, offset + half_width, order=2)
    share = _mean_inverse_count(1 / spread**2, np.exp(log_mass))
    step, kept, _ = round_parts(offset, half_width, spread, "exact")

    start, weights = mean_of_accepted(-offset, half_width, np.maximum(1 / share, 1.0))
    b = half_width[..., None]
    _, pull, (noise,) = truncated_moments(-b - start, b - start, order=2)
    after = noise / n[..., None] + (start + pull + offset[..., None]) ** 2
    both = np.einsum("...q,...q->...", weights, after)
    return np.stack([spread**2, bias**2 + variance * share, step / n + kept, both])


def _mean_inverse_count(trials: Floats, rate: Floats) -> Floats:
    """Return ``E[1/N | N >= 1]`` for N binomial; ``trials`` may be fractional, as mu^2 is.

    Integrates the generating function: ``E[1/N; N >= 1] = int_0^inf (1 - q + q e^-y)^m - (1 - q)^m dy``. The
    substitution ``y = reach * x^2`` gathers nodes at 0, where the integrand falls at rate ``m q``.
    """
    rate = np.minimum(rate, 1 - 1e-16)
    log_none = trials * np.log1p(-rate)
    drop = np.expm1(-_DEPTH / trials) / rate
    reach = np.minimum(-np.log1p(np.maximum(drop, -1 + 1e-15)), _DEPTH)
    x, weights = legendre(_NODES)
    y = reach[..., None] * x**2
    integrand = (
        np.exp(trials[..., None] * np.log1p(rate[..., None] * np.expm1(-y))) - np.exp(log_none)[..., None]
    )
    return reach * (integrand @ (2 * x * weights)) / -np.expm1(log_none)
