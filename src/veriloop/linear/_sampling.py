"""Means of n accepted draws, many rows at once: exact sampling from truncated normals by rejection.

Each row is one direction of one chain, with its own interval [alpha, beta]. Only the sum of its n accepted
draws is kept, so memory does not grow with n. A row uses the proposal that costs it least per accepted draw:

- a standard normal, kept when it falls inside, for wide intervals;
- a uniform over the interval, kept with probability ``density / largest density``;
- an exponential towards the tail (Robert 1995), likewise.

Two uniforms are several times cheaper than a normal, so the second wins wherever the density is not too
uneven, which is where the paper's experiments live.

All proposals of a pass are drawn for a block of rows that stays in cache. A row proposes at most as many
draws as it still needs, so it never gets one too many, and all accepted draws are kept.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import DomainError
from ..theory.validation import count
from ._device import sums_on

Floats: TypeAlias = NDArray[np.float64]
Precision: TypeAlias = Literal["float32", "float64"]

_BLOCK = 1 << 16
"""Proposals drawn at once, 1.4 MB with all that belongs to them. Half as many fit L2 caches better, but the
40 microseconds of a block's NumPy calls then weigh more: measured best of 2^13 to 2^18."""

_COLUMNS = 512
"""Proposals per row and pass, at most. Sums over passes are float64, so float32 rounding stays near 1e-7."""

NORMAL, UNIFORM, EXPONENTIAL = 0, 1, 2
_COST = np.array([11.0, 8.0, 13.0])
"""Nanoseconds per proposal of each kind, measured. Only the choice of proposal depends on them."""


def accepted_means(
    alpha: Floats,
    beta: Floats,
    n: int,
    rng: np.random.Generator,
    precision: Precision = "float32",
    device: str | None = None,
) -> Floats:
    """Mean of ``n`` independent draws from the standard normal truncated to [alpha, beta], for each row.

    Args:
        alpha: Lower ends, shape ``(rows,)``; may be -inf.
        beta: Upper ends, each above its ``alpha``; may be inf.
        n: Draws per row, at least 1.
        rng: Source of all randomness.
        precision: Of single draws; means are float64.
        device: A torch device to draw on; NumPy when None. The draws differ, their distribution does not.

    Returns:
        Shape ``(rows,)``.

    Raises:
        DomainError: An interval is empty or NaN, or ``n`` is no count.
    """
    if not np.all(alpha < beta):
        raise DomainError("the truncation interval is empty or NaN", expected="alpha < beta")
    n = count("n", n)
    mirrored = -alpha > beta
    low, high = np.where(mirrored, -beta, alpha), np.where(mirrored, -alpha, beta)
    kind, rate = _cheapest(low, high)
    means = np.empty(len(low))
    for which in (NORMAL, UNIFORM, EXPONENTIAL):
        rows = np.flatnonzero(kind == which)
        if rows.size:
            proposal = Proposal.of(which, low[rows], high[rows], rate[rows], np.dtype(precision))
            sums = _sums(proposal, n, rng) if device is None else sums_on(device, proposal, n, rng)
            means[rows] = proposal.shift + proposal.scale * sums / n
    return np.where(mirrored, -means, means)


def _cheapest(low: Floats, high: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The kind of proposal for each mirrored interval, and the rate of its exponential.

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
    """Rate of the exponential proposal less ``low``, without cancellation."""
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
        share: For an exponential, its probability within the width, shape ``(rows,)``.
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

    def accept(
        self, rows: NDArray[np.intp], width: int, rng: np.random.Generator, scratch: "_Scratch"
    ) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
        """Propose ``width`` values of s for each of ``rows``, into ``scratch``.

        Returns:
            The values and whether each is accepted, both ``(width, len(rows))``: rows last, so that what
            differs between rows is applied along contiguous memory.
        """
        s, weight, coin, mask = scratch.shaped(width, len(rows))
        bounds = self.bounds[:, rows]
        if self.kind == NORMAL:
            rng.standard_normal(dtype=s.dtype.type, out=s)
            np.greater_equal(s, bounds[0], out=mask)
            mask &= s <= bounds[1]
            return s, mask
        _uniforms(rng, s, coin)
        if self.kind == EXPONENTIAL:
            s += 0.5
            s *= -self.share[rows]
            np.log1p(s, out=s)
            np.negative(s, out=s)
        np.multiply(s, bounds[2], out=weight)
        weight += bounds[1]
        weight *= s
        weight += bounds[0]
        np.exp(weight, out=weight)
        np.less(coin, weight, out=mask)
        return s, mask


def _uniforms(rng: np.random.Generator, s: NDArray[np.floating], coin: NDArray[np.floating]) -> None:
    """Fill ``s`` with uniforms on [-1/2, 1/2] and ``coin`` with uniforms on [0, 1/2]."""
    if s.dtype == np.float64:
        rng.random(out=s)
        s -= 0.5
        rng.random(out=coin)
        coin *= 0.5
        return
    # A 64-bit integer holds two float32 uniforms, at two thirds of the cost of drawing them one by one.
    bits = (
        rng.integers(-(2**63), 2**63 - 1, s.size, np.int64, endpoint=True).view(np.int32).reshape(2, *s.shape)
    )
    unit = np.float32(2.0**-32)
    np.multiply(bits[0], unit, out=s, dtype=np.float32, casting="unsafe")
    np.multiply(bits[1], unit, out=coin, dtype=np.float32, casting="unsafe")
    np.abs(coin, out=coin)


class _Scratch:
    """Memory for one block of proposals, reused by every pass."""

    def __init__(self, dtype: np.dtype[np.floating]) -> None:
        self._floats = np.empty((3, _BLOCK), dtype)
        self._mask = np.empty(_BLOCK, np.bool_)

    def shaped(self, *shape: int) -> tuple[Any, Any, Any, NDArray[np.bool_]]:
        """Three float arrays and a mask of this shape; at most ``_BLOCK`` elements each."""
        size = math.prod(shape)
        s, weight, coin = (row[:size].reshape(shape) for row in self._floats)
        return s, weight, coin, self._mask[:size].reshape(shape)

    def kept(self, mask: NDArray[np.bool_]) -> NDArray[np.floating]:
        """``mask`` as 0 and 1 in the scratch's precision; the weights are overwritten."""
        ones = self._floats[1, : mask.size].reshape(mask.shape)
        np.copyto(ones, mask)
        return ones


def _sums(proposal: Proposal, n: int, rng: np.random.Generator) -> Floats:
    """Sum of the first ``n`` accepted values of s, for each row."""
    dtype = proposal.bounds.dtype
    scratch = _Scratch(dtype)
    order = np.arange(_COLUMNS, dtype=np.int16)[:, None]  # narrow integers make the comparison below cheap
    sums = np.zeros(len(proposal.shift))
    need = np.full(len(sums), n)
    pending = np.arange(len(sums))
    while pending.size:
        width = min(int(np.ceil(need[pending].mean())), _COLUMNS)
        step = _BLOCK // width
        for first in range(0, pending.size, step):
            rows = pending[first : first + step]
            s, mask = proposal.accept(rows, width, rng, scratch)
            wanted = np.minimum(need[rows], width).astype(np.int16)
            if wanted.min() < width:
                mask &= order[:width] < wanted
            kept = scratch.kept(mask)
            sums[rows] += np.einsum("ij,ij->j", s, kept)
            need[rows] -= np.einsum("ij->j", kept).astype(np.intp)
        pending = pending[need[pending] > 0]
    return sums
