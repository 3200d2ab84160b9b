"""Planning: how biased may the verifier be, how strict should it be, how many samples are needed?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ._chain import chain_moments
from ._one_round import Method, one_round_mse, round_parts
from ._system import LinearSystem
from ._trajectory import squared_errors
from .validation import Floats, at_least, count, finite, sample_sizes

_HALVINGS = 60
"""Bisection steps: enough to reach the spacing of float64 from any bracket."""

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


def break_even_bias(
    system: LinearSystem,
    n: ArrayLike,
    rounds: int = 1,
    radius: ArrayLike | None = None,
    direction: ArrayLike | None = None,
) -> Floats:
    """The largest bias Delta at which ``rounds`` rounds still lower the error.

    That is, ``mse_star`` of the last round is at most the baseline. The ball is allowed to miss theta*:
    compare the result with the radius. Found by bisection on the exact theory.

    Args:
        system: Gives everything but the bias.
        n: Accepted samples per direction and round; any shape.
        rounds: After how many rounds to compare with the start.
        radius: Radii to use in place of the system's; broadcast against ``n``.
        direction: From theta* to theta_c, shape ``(p,)``; the system's own when None.

    Returns:
        The broadcast shape of ``n`` and ``radius``; NaN where not even an unbiased verifier helps.

    Raises:
        DomainError: An argument is out of range, or no direction is known.
    """
    sizes = sample_sizes(n)
    rounds = count("rounds", rounds)
    unit = system.unit_direction(direction)
    radii = np.asarray(system.radius) if radius is None else at_least("radius", radius, 0.0)
    if np.any(radii + system.sigma_c <= 0):
        raise DomainError("a verifier with radius 0 and sigma_c 0 never accepts", fix="give a radius above 0")
    sizes, radii = (np.array(array) for array in np.broadcast_arrays(sizes, radii))

    def gains(bias: Floats) -> np.ndarray:
        return _mse_after(system, unit, bias, radii, sizes, rounds) <= system.baseline

    low = np.zeros(radii.shape)
    never = ~gains(low)
    high = np.full(radii.shape, system.sigma)
    while np.any(still := gains(high) & ~never):  # ends: far centers drag theta_1 along
        high = np.where(still, 2 * high, high)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        good = gains(middle)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    return np.where(never, np.nan, low)


def best_radius(
    system: LinearSystem, n: ArrayLike, rounds: int = 1, low: float | None = None, high: float | None = None
) -> BestRadius:
    """The radius that minimises ``E ||theta_k - theta*||^2`` after ``rounds`` rounds, and what it costs.

    Args:
        system: Gives everything but the radius.
        n: Accepted samples per direction and round; any shape.
        rounds: After how many rounds to look.
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
    unit = (system.theta_c - system.theta_star) / (system.bias or 1.0)
    left, right = np.full(sizes.shape, smallest), np.full(sizes.shape, largest)
    radius = mse = left
    for _ in range(1 + _ZOOMS):
        radii = np.linspace(left, right, _SCAN, axis=-1)
        bias = np.full(radii.shape, system.bias)
        errors = _mse_after(system, unit, bias, radii, sizes[..., None], rounds)
        best = errors.argmin(axis=-1)[..., None]
        radius, mse = (np.take_along_axis(array, best, -1)[..., 0] for array in (radii, errors))
        left = np.take_along_axis(radii, np.maximum(best - 1, 0), -1)[..., 0]
        right = np.take_along_axis(radii, np.minimum(best + 1, _SCAN - 1), -1)[..., 0]
    half_width = (radius[..., None] + system.sigma_c) / system.sigma
    rate = round_parts(system.offsets, half_width, system.spreads, "exact")[2].mean(axis=-1)
    return BestRadius(radius, mse, rate, 1 / rate)


def samples_needed(system: LinearSystem, gain: ArrayLike, method: Method = "exact") -> Floats:
    """The smallest n for which one round lowers the error by a share ``gain`` of the baseline.

    One round's error is ``step / n + kept`` with constants step and kept, so n follows in closed form.

    Args:
        system: The linear system.
        gain: Wanted ``1 - mse / baseline``, from 0 to below 1; any shape.
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


def _mse_after(
    system: LinearSystem, unit: Floats, bias: Floats, radius: Floats, n: Floats, rounds: int
) -> Floats:
    """``E ||theta_k - theta*||^2`` for systems that differ in bias and radius; arrays broadcast."""
    bias, radius, n = np.broadcast_arrays(bias, radius, n)
    offsets = bias[..., None] * (system.directions @ unit) / system.sigma
    half_width = (radius + system.sigma_c) / system.sigma
    if rounds == 1:
        step, kept, _ = round_parts(offsets, half_width[..., None], system.spreads, "exact")
        return system.sigma**2 * (step / n[..., None] + kept).sum(axis=-1)
    first, second = chain_moments(offsets, half_width, system.spreads, np.broadcast_to(n, (rounds, *n.shape)))
    return system.sigma**2 * squared_errors(offsets, first[-1], second[-1])[0].sum(axis=-1)
