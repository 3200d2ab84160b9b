"""Checks of arguments, for theory and simulation: finite arrays, counts, sample sizes, axes of grids."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DomainError

Floats: TypeAlias = NDArray[np.float64]

SampleSizes: TypeAlias = float | Sequence[float] | NDArray[np.integer] | Floats
"""One sample size for all rounds, or one per round; ``inf`` is the noiseless limit."""


def finite(name: str, value: ArrayLike) -> Floats:
    """Return ``value`` as a float64 array.

    Raises:
        DomainError: It is not numeric, or holds NaN or infinity.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DomainError(f"{name} is not numeric", got=repr(value)[:80], expected="numbers") from error
    if not np.all(np.isfinite(array)):
        raise DomainError(f"{name} holds NaN or infinity", expected="finite numbers")
    return array


def at_least(name: str, value: ArrayLike, low: float, *, strict: bool = False) -> Floats:
    """Return ``value`` as a finite float64 array, nowhere below ``low`` (nor at it, when ``strict``).

    Raises:
        DomainError: Some element is not finite or too small.
    """
    array = finite(name, value)
    if np.any(array <= low if strict else array < low):
        expected = f"{'more than' if strict else 'at least'} {low:g}"
        raise DomainError(f"{name} is out of range", got=float(array.min()), expected=expected)
    return array


def count(name: str, value: int, low: int = 1) -> int:
    """Return ``value`` as an int that is at least ``low``.

    Raises:
        DomainError: It is not a whole number, or too small.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise DomainError(
            f"{name} is not a count", got=repr(value)[:80], expected=f"a whole number from {low} up"
        )
    return int(value)


def grid_axis(name: str, values: ArrayLike) -> Floats:
    """Return ``values`` as one axis of a grid: finite, at least 0, not empty, shape ``(count,)``.

    Raises:
        DomainError: It is not.
    """
    axis = at_least(name, values, 0.0) if np.size(values) else np.empty(0)
    if axis.ndim != 1 or axis.size == 0:
        raise DomainError(
            f"{name} is not an axis of a grid",
            got=f"shape {axis.shape}",
            expected="shape (count,), count >= 1",
        )
    return axis


def sample_sizes(n: ArrayLike) -> Floats:
    """Return ``n`` as a float64 array of whole numbers from 1 up, or infinity.

    Raises:
        DomainError: Some element is NaN, below 1, or not whole.
    """
    try:
        sizes = np.asarray(n, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DomainError("n is not numeric", got=repr(n)[:80], expected="whole numbers from 1 up") from error
    wrong = ~(sizes >= 1) | (np.isfinite(sizes) & (sizes != np.floor(sizes)))
    if np.any(wrong):
        worst = float(sizes[wrong].flat[0]) if sizes.ndim else float(sizes)
        raise DomainError("n is not a sample size", got=worst, expected="a whole number from 1 up, or inf")
    return sizes


def schedule(n: SampleSizes, rounds: int) -> Floats:
    """Return the sample size of each round, shape ``(rounds,)``.

    Args:
        n: One number for every round, or a sequence with at least ``rounds`` numbers.
        rounds: Number of rounds, at least 1.

    Raises:
        DomainError: ``rounds`` is not a positive whole number, or the sequence is too short.
    """
    rounds = count("rounds", rounds)
    sizes = sample_sizes(n)
    if sizes.ndim == 0:
        return np.full(rounds, float(sizes))
    if sizes.ndim != 1 or len(sizes) < rounds:
        raise DomainError(
            "the schedule does not cover the rounds",
            got=f"shape {sizes.shape}",
            expected=f"one number, or at least {rounds} of them in one dimension",
        )
    return sizes[:rounds]
