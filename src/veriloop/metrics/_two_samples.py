"""A distance of two samples from the values of a function of each pair, with its standard error.

The distance is 2 E f(X, Y) - E f(X, X') - E f(Y, Y'). With f(x, y) = |x - y| it is the energy distance, and
with f(x, y) = 1 - k(x, y) for a kernel k with k(x, x) = 1 the squared maximum mean discrepancy.
"""

import numpy as np
from numpy.typing import NDArray

from ..records import Estimate
from .standard_errors import by_row, of_jackknife

BLOCKS = 20
"""Number of jackknife blocks."""


def distance(apart: NDArray[np.floating], n: int) -> Estimate:
    """Return the distance, estimated without bias, with a jackknife over `BLOCKS` blocks of both samples.

    Args:
        apart: f of each pair of rows of both samples, one below the other, shape (n + m, n + m); 0 for a row
            with itself.
        n: Number of rows of the first sample, at least 2 * `BLOCKS`, as of the second.
    """
    m = len(apart) - n
    sums = np.stack([apart[:, :n].sum(1), apart[:, n:].sum(1)])  # to rows of the first and of the second
    value = _of_sums(sums[0, :n].sum(), sums[1, n:].sum(), sums[1, :n].sum(), n, m)
    # Each block is left out in turn, with all its pairs.
    block = np.concatenate([np.arange(n) % BLOCKS, np.arange(m) % BLOCKS])
    indicator = np.eye(BLOCKS)[block]
    parts = [(slice(0, n), slice(0, n)), (slice(n, None), slice(n, None)), (slice(0, n), slice(n, None))]
    left_out = []
    between = [indicator[rows].T @ apart[rows, columns] @ indicator[columns] for rows, columns in parts]
    for b in range(BLOCKS):
        xx, yy, xy = (t.sum() - t[b].sum() - t[:, b].sum() + t[b, b] for t in between)
        left_out.append(_of_sums(xx, yy, xy, n - np.sum(block[:n] == b), m - np.sum(block[n:] == b)))
    of_first = 2 * (sums[1, :n] / m - sums[0, :n] / (n - 1))
    of_second = 2 * (sums[0, n:] / n - sums[1, n:] / (m - 1))
    return by_row(value, float(of_jackknife(np.array(left_out))), of_first, of_second)


def _of_sums(xx: float, yy: float, xy: float, n: int, m: int) -> float:
    """Return the distance from sums of f within and between n and m rows."""
    return float(2 * xy / (n * m) - xx / (n * (n - 1)) - yy / (m * (m - 1)))
