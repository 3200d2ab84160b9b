"""How far to trust a curve's forecast: by what it would have missed so far, beside the last value's misses.

Of a quantity that wanders, the last value is the better forecast, and a few rounds do not show whether it
does. But every round so far could have been forecast from those before it. The two forecasts are averaged
with weights inverse to their mean squared misses (J. Bates and C. Granger, The combination of forecasts,
1969).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ._curve import draw_curves

Floats = NDArray[np.float64]

_FEWEST = 4
"""Least number of rounds to forecast a past round from."""

_BACK = 10
"""Number of rounds that past forecasts are made from, at most."""

AHEAD = 3
"""How far a past forecast looks ahead."""

_DRAWS = 500
"""Draws for a past forecast, of which only the median counts."""

_REMEMBERED = 1_024
"""Past forecasts that are kept, because the next round asks for them again."""


def trust(
    rounds: NDArray[np.int64],
    values: Floats,
    errors: Floats,
    sizes: Sequence[float],
    bounds: tuple[float, float],
) -> float:
    """Return the weight of the curve's forecast; that of the last value is the rest.

    It is 1 if no round so far could have been forecast.

    Args:
        rounds: Rounds with measurements, increasing, shape (m,).
        values: Measured values, shape (m,).
        errors: Standard errors of the measurements, 0 where unknown, shape (m,).
        sizes: Number of samples kept in rounds 1 to `AHEAD` after the last one; empty if unknown.
        bounds: Lowest and highest possible value.
    """
    of_curve = of_last = 0.0
    for n in range(max(_FEWEST, len(rounds) - _BACK), len(rounds)):
        last = int(rounds[n - 1])
        coming = np.flatnonzero((rounds > last) & (rounds <= last + AHEAD))
        known = (tuple(part[:n].tolist()) for part in (rounds, values, errors))
        medians = np.clip(_medians(*known, tuple(sizes[: last + AHEAD])), *bounds)
        of_curve += float(np.square(medians[rounds[coming] - last - 1] - values[coming]).sum())
        of_last += float(np.square(values[n - 1] - values[coming]).sum())
    return of_last / (of_curve + of_last) if of_curve + of_last > 0 else 1.0


@lru_cache(_REMEMBERED)
def _medians(
    rounds: tuple[int, ...], values: tuple[float, ...], errors: tuple[float, ...], sizes: tuple[float, ...]
) -> Floats:
    """The curves' medians for the rounds after these, shape (AHEAD,)."""
    horizon = rounds[-1] + AHEAD
    drawn = draw_curves(np.array(rounds), np.array(values), np.array(errors), horizon, sizes, draws=_DRAWS)
    return np.median(drawn.measured, axis=0)
