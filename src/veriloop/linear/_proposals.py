"""Proposals for draws from a truncated normal, and which kind is cheapest per accepted draw.

There are three:

- a standard normal, kept when it falls inside, for wide intervals;
- a uniform over the interval, kept with probability ``density / largest density``;
- an exponential towards the tail (Robert 1995), likewise.

Two uniforms are several times cheaper than a normal, so the second kind wins unless the density is too
uneven.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]

NORMAL, UNIFORM, EXPONENTIAL = 0, 1, 2
_COST = np.array([11.0, 8.0, 13.0])
"""Nanoseconds per proposal of each kind, measured. Only the choice of proposal depends on them."""


def cheapest(low: Floats, high: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the kind of proposal for each mirrored interval, and the rate of its exponential.

    The expected number of proposals per accepted draw is the area under the scaled-up proposal over the
    interval's mass. The mass is common to all kinds, so areas are compared, in logs.
    """
    width = high - low
    peak = np.maximum(low, 0.0)
    log_peak = -(peak**2) / 2 - np.log(2 * np.pi) / 2
    log_area = np.full((3, len(low)), np.inf)
    log_area[NORMAL] = 0.0
    log_area[UNIFORM] = np.log(width) + log_peak
    rate = np.ones(len(low))
    (tail,) = np.nonzero(low > 0)
    a, w = low[tail], width[tail]
    rate[tail] = (a + np.hypot(a, 2.0)) / 2  # Robert (1995), equation 2.4
    slope = _excess_rate(a)
    best = np.minimum(slope, w)
    log_area[EXPONENTIAL, tail] = (
        log_peak[tail] + best * (slope - best / 2) + np.log(-np.expm1(-rate[tail] * w) / rate[tail])
    )
    return (log_area + np.log(_COST)[:, None]).argmin(axis=0), rate


def _excess_rate(low: Floats) -> Floats:
    """Return the rate of the exponential proposal minus ``low``, without cancellation."""
    return 2 / (low + np.hypot(low, 2.0))


@dataclass(frozen=True, eq=False)
class Proposal:
    """One kind of proposal for a set of rows: draws are ``shift + scale * s``.

    For a normal, s is accepted within ``bounds``. For the others, s is built from a uniform on [-1/2, 1/2]
    and accepted when a uniform on [0, 1/2] is below ``exp(c0 + c1 s + c2 s^2)``, where c are the ``bounds``.

    Attributes:
        kind: One of the three kinds.
        shift: 0 for a normal, the middle of the interval for a uniform, its lower end for an exponential;
            shape ``(rows,)``.
        scale: 1 for a normal, the width for a uniform, 1 / rate for an exponential; shape ``(rows,)``.
        share: Probability of an exponential within the width, shape ``(rows,)``.
        bounds: Shape ``(2, rows)`` for a normal, else ``(3, rows)``.
    """

    kind: int
    shift: Floats
    scale: Floats
    share: NDArray[np.floating]
    bounds: NDArray[np.floating]

    @classmethod
    def of(
        cls, kind: int, low: Floats, high: Floats, rate: Floats, dtype: np.dtype[np.floating]
    ) -> "Proposal":
        """Make the proposals of one kind for the intervals from ``low`` to ``high``, shapes (rows,).

        Args:
            kind: ``NORMAL``, ``UNIFORM`` or ``EXPONENTIAL``.
            low: Lower ends.
            high: Upper ends.
            rate: Rates of the exponential law.
            dtype: Type of the numbers that are drawn.
        """
        if kind == NORMAL:
            return cls(
                kind,
                np.zeros(len(low)),
                np.ones(len(low)),
                np.empty(0, dtype),
                np.stack([low, high]).astype(dtype),
            )
        width = high - low
        scale = width if kind == UNIFORM else 1 / rate
        shift = low + width / 2 if kind == UNIFORM else low
        # Log density in t = draw - shift: -t^2 / 2 - shift * t, plus rate * t to divide by the exponential.
        slope = -shift if kind == UNIFORM else _excess_rate(low)
        top = np.clip(slope, low - shift, high - shift)
        bounds = np.stack([top * (top / 2 - slope) - np.log(2), slope * scale, -(scale**2) / 2])
        # Below 1, as the logarithm must not meet 0; the tail cut off is finer than the uniforms are.
        share = np.minimum(-np.expm1(-width / scale), 1 - np.finfo(dtype).epsneg)
        return cls(kind, shift, scale, share.astype(dtype), bounds.astype(dtype))
