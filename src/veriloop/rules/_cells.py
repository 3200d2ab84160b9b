"""Cells: a partition of each group by the nearest of a few centres of its real samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..rng import Address
from ..samples import Samples

STEPS = 20
"""Of k-means. The cells only have to be compact, not optimal: more steps move the centres little."""


class Cells:
    """Each group's cells, and how its real samples are spread over them.

    A group without real samples is a single cell.

    Args:
        real: Real samples.
        groups: The group of each, shape (n,).
        column: A column of numbers; distances are Euclidean in its flattened values.
        count: Cells of each group, at most as many as it has different real samples.
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
        """The cell of each of n samples of ``group``, shape (n,)."""
        if group not in self._centres:
            return np.zeros(len(samples), np.int64)
        return _nearest(self._points(samples), self._centres[group])

    def places(self, group: object, n: int) -> list[int]:
        """``n`` places shared out among the cells of ``group`` as its real samples are.

        By largest remainder: each cell gets its exact share rounded down, and the places left go to those
        that lost most by it.
        """
        exact = n * self._shares.get(group, np.ones(1))
        places = np.floor(exact).astype(np.int64)
        places[np.argsort(places - exact, kind="stable")[: n - places.sum()]] += 1
        return places.tolist()

    def _points(self, samples: Samples) -> NDArray[np.float32]:
        return samples.array(self._column).reshape(len(samples), -1).astype(np.float32)


def _k_means(points: NDArray[np.float32], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Centres of Lloyd's algorithm from random points; fewer than ``count`` where cells run empty."""
    centres = points[rng.permutation(len(points))[:count]]
    for _ in range(STEPS):
        cell = _nearest(points, centres)
        centres = np.stack([points[cell == c].mean(0) for c in np.unique(cell)])
    return centres


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    # |x - c|^2 less |x|^2, which is the same for all centres.
    return np.argmin((centres**2).sum(1) - 2 * points @ centres.T, axis=1)
