"""The rejection passes of `_sampling` in NumPy.

All proposals of a pass are drawn for a block of rows that stays in cache. A row proposes at most as many
draws as it still needs, so it never gets one too many, and all accepted draws are kept.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._proposals import EXPONENTIAL, NORMAL, Floats, Proposal

_BLOCK = 1 << 16
"""Proposals drawn at once, 1.4 MB with all that belongs to them. Half as many fit L2 caches better, but the
40 microseconds of a block's NumPy calls then weigh more: measured best of 2^13 to 2^18."""

_COLUMNS = 512
"""Proposals per row and pass, at most. Sums over passes are float64, so float32 rounding stays near 1e-7."""


def sums_of(proposal: Proposal, n: int, rng: np.random.Generator) -> Floats:
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
            s, mask = _propose(proposal, rows, width, rng, scratch)
            wanted = np.minimum(need[rows], width).astype(np.int16)
            if wanted.min() < width:
                mask &= order[:width] < wanted
            kept = scratch.kept(mask)
            sums[rows] += np.einsum("ij,ij->j", s, kept)
            need[rows] -= np.einsum("ij->j", kept).astype(np.intp)
        pending = pending[need[pending] > 0]
    return sums


def _propose(
    proposal: Proposal, rows: NDArray[np.intp], width: int, rng: np.random.Generator, scratch: "_Scratch"
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Propose ``width`` values of s for each of ``rows``, into ``scratch``. See `Proposal`.

    Returns:
        The values and whether each is accepted, both ``(width, len(rows))``: rows last, so that what
        differs between rows is applied along contiguous memory.
    """
    s, weight, coin, mask = scratch.shaped(width, len(rows))
    bounds = proposal.bounds[:, rows]
    if proposal.kind == NORMAL:
        rng.standard_normal(dtype=s.dtype.type, out=s)
        np.greater_equal(s, bounds[0], out=mask)
        mask &= s <= bounds[1]
        return s, mask
    _uniforms(rng, s, coin)
    if proposal.kind == EXPONENTIAL:
        s += 0.5
        s *= -proposal.share[rows]
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
        """Return three float arrays and a mask of this shape; at most ``_BLOCK`` elements each."""
        size = math.prod(shape)
        s, weight, coin = (row[:size].reshape(shape) for row in self._floats)
        return s, weight, coin, self._mask[:size].reshape(shape)

    def kept(self, mask: NDArray[np.bool_]) -> NDArray[np.floating]:
        """Return ``mask`` as 0 and 1 in the scratch's precision; the weights are overwritten."""
        ones = self._floats[1, : mask.size].reshape(mask.shape)
        np.copyto(ones, mask)
        return ones
