"""Planning: how strict should the verifier be, and how many samples are needed?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ._helpful import errors_after
from ._one_round import Method, one_round_mse, round_parts
from ._system import LinearSystem
from .validation import Floats, at_least, count, finite, sample_sizes

_SCAN = 65
_ZOOMS = 5
"""Radius search: 65 points, then five times 65 points between the neighbours of the best; resolves 3e-9 of
the range."""


@dataclass(frozen=True, eq=False)
class BestRadius:
    """The most helpful selectivity; every array has the shape of ``n``.

    Attributes:
        radius: The radius r with the smallest error.
        mse: ``E ||theta_k - theta*||^2`` there.
        acceptance_rate: Probability that a fresh sample of the start model gets a Yes, mean over directions.
        generated_per_kept: ``1 / acceptance_rate``: samples to generate for each one kept, in the first
            round.
    """

    radius: Floats
    mse: Floats
    acceptance_rate: Floats
    generated_per_kept: Floats


def best_radius(
    system: LinearSystem, n: ArrayLike, rounds: int = 1, low: float | None = None, high: float | None = None
) -> BestRadius:
    """Return the radius that minimises ``E ||theta_k - theta*||^2`` after ``rounds`` rounds, and its cost.

    Args:
        system: Linear system that provides everything except the radius.
        n: Accepted samples per direction and round; any shape.
        rounds: Number of rounds.
        low: Smallest radius considered; the bias when None, so that the ball contains theta*.
        high: Largest radius considered; ``low`` plus 6 sigma when None, where nearly everything is accepted.

    Raises:
        DomainError: An argument is out of range.
    """
    sizes = sample_sizes(n)
    rounds = count("rounds", rounds)
    smallest = float(at_least("low", system.bias if low is None else low, 0.0))
    if smallest + system.sigma_c == 0.0:
        smallest = 1e-3 * system.sigma
    largest = float(finite("high", smallest + 6 * system.sigma if high is None else high))
    if not largest > smallest:
        raise DomainError(
            "the range of radii is empty", got=f"[{smallest:g}, {largest:g}]", expected="low < high"
        )
    left, right = np.full(sizes.shape, smallest), np.full(sizes.shape, largest)
    radius = mse = left
    for _ in range(1 + _ZOOMS):
        radii = np.linspace(left, right, _SCAN, axis=-1)
        widths = (radii + system.sigma_c) / system.sigma
        offsets = np.broadcast_to(system.offsets, (*radii.shape, system.dimension))
        errors = errors_after(offsets, widths, system.spreads, sizes[..., None], rounds).sum(axis=-1)
        errors = system.sigma**2 * errors
        best = errors.argmin(axis=-1)[..., None]
        radius, mse = (np.take_along_axis(array, best, -1)[..., 0] for array in (radii, errors))
        left = np.take_along_axis(radii, np.maximum(best - 1, 0), -1)[..., 0]
        right = np.take_along_axis(radii, np.minimum(best + 1, _SCAN - 1), -1)[..., 0]
    half_width = (radius[..., None] + system.sigma_c) / system.sigma
    rate = round_parts(system.offsets, half_width, system.spreads, "exact")[2].mean(axis=-1)
    return BestRadius(radius, mse, rate, 1 / rate)


def samples_needed(system: LinearSystem, gain: ArrayLike, method: Method = "exact") -> Floats:
    """Return the smallest n for which one round lowers the error by a share ``gain`` of the baseline.

    One round's error is ``step / n + kept`` with constants step and kept, so n follows in closed form.

    Args:
        system: The linear system.
        gain: Required ``1 - mse / baseline``, from 0 to below 1; any shape.
        method: As in :func:`one_round_mse`.

    Returns:
        The shape of ``gain``; whole numbers, inf where no n is enough.

    Raises:
        DomainError: ``gain`` or ``method`` is invalid.
    """
    share = at_least("gain", gain, 0.0)
    if np.any(share >= 1):
        raise DomainError("gain is out of range", got=float(share.max()), expected="below 1")
    result = one_round_mse(system, 1, method)
    room = (1 - share) * system.baseline - result.verification_error
    with np.errstate(divide="ignore"):
        return np.where(
            room > 0, np.maximum(np.ceil(result.synthetic_variance / np.maximum(room, 0.0)), 1.0), np.inf
        )
