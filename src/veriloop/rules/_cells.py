"""Cells: each group is partitioned by the nearest of a few centres of its real samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rng import Address
from ..samples import Samples

STEPS = 20
"""Number of k-means steps. Cells need to be compact, not optimal: more steps move the centres little."""


class Cells:
    """The cells of each group, and the distribution of its real samples over them.

    A group without real samples is a single cell.

    Args:
        real: Real samples.
        groups: Group of each real sample, shape (n,).
        column: Name of a numeric column; distances are Euclidean in its flattened values.
        count: Number of cells per group, limited by its number of distinct real samples.
    """

    def __init__(self, real: Samples, groups: NDArray[Any], column: str, count: int) -> None:
        self._column = column
        self._centres: Mapping[object, NDArray[np.float32]] = {}
        self._shares: Mapping[object, NDArray[np.float64]] = {}
        for i, group in enumerate(np.unique(groups).tolist()):
            mine = self._points(real.select(np.flatnonzero(groups == group)))
            rng = Address(seed=0, arm="cells", chunk=i).rng()  # the same cells in every round
            self._centres[group] = centres = _k_means(mine, count, rng)
            self._shares[group] = np.bincount(_nearest(mine, centres), minlength=len(centres)) / len(mine)

    def of(self, group: object, samples: Samples) -> NDArray[np.int64]:
        """Return the cell of each of n samples of ``group``, shape (n,)."""
        if group not in self._centres:
            return np.zeros(len(samples), np.int64)
        return _nearest(self._points(samples), self._centres[group])

    def places(self, group: object, n: int) -> list[int]:
        """Divide ``n`` places among the cells of ``group`` in proportion to its real samples.

        Uses largest remainders: each cell gets its exact share rounded down, and the remaining places go to
        the cells that lost most by rounding.
        """
        exact = n * self._shares.get(group, np.ones(1))
        places = np.floor(exact).astype(np.int64)
        places[np.argsort(places - exact, kind="stable")[: n - places.sum()]] += 1
        return places.tolist()

    def _points(self, samples: Samples) -> NDArray[np.float32]:
        return samples.array(self._column).reshape(len(samples), -1).astype(np.float32)


def _k_means(points: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return the centres of Lloyd's algorithm from random points; fewer than ``count`` if cells empty."""
    centres = points[rng.permutation(len(points))[:count]]
    for _ in range(STEPS):
        cell = _nearest(points, centres)
        centres = np.stack([points[cell == c].mean(0) for c in np.unique(cell)])
    return centres


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    # |x - c|^2 minus |x|^2, which is the same for all centres.
    return np.argmin((centres**2).sum(1) - 2 * points @ centres.T, axis=1)
