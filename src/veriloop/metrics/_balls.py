"""Balls around points: which points of one set are in balls of another. In PyTorch, one strip at a time."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

ROWS = 256
"""Rows of the distance matrix in memory at a time, so that memory does not grow with its area."""


@dataclass(frozen=True)
class Hits:
    """Which points are in which balls, for n real and m generated points.

    Attributes:
        balls: Number of real balls that contain each generated point, shape (m,).
        recalled: Whether each real point is in some generated ball, shape (1 + blocks, n): with all generated
            points, then without each block of them.
        covered: Whether each real ball contains a generated point, with the same shape.
    """

    balls: NDArray[np.int64]
    recalled: NDArray[np.bool_]
    covered: NDArray[np.bool_]


def hits_of(
    real: NDArray[np.float64],
    generated: NDArray[np.float64],
    block: NDArray[np.int64],
    blocks: int,
    k: int,
) -> Hits:
    """Find which points are in which balls; a ball reaches to the k-th nearest neighbour in its own set.

    Args:
        real: Real points, shape (n, d).
        generated: Generated points, shape (m, d).
        block: Jackknife block of each generated point, shape (m,).
        blocks: Number of blocks.
        k: Index of the nearest neighbour that a ball reaches to.
    """
    # Centring keeps the rounding of squared distances, |x|^2 + |y|^2 - 2xy, close to their own size.
    centre = real.mean(0)
    x, y = torch.from_numpy(real - centre), torch.from_numpy(generated - centre)
    real_radius, radius = _squared_radii(x, k), _squared_radii(y, k)
    in_block = F.one_hot(torch.from_numpy(block), blocks).float()
    balls = torch.zeros(len(y), dtype=torch.int64)
    recalled, covered = (torch.empty(1 + blocks, len(x), dtype=torch.bool) for _ in range(2))
    for first in range(0, len(x), ROWS):
        rows = slice(first, first + ROWS)
        squared = _squared_distances(x[rows], y)
        in_real = squared <= real_radius[rows, None]
        balls += in_real.sum(0)
        covered[:, rows] = _some(in_real, in_block)
        recalled[:, rows] = _some(squared <= radius, in_block)
    return Hits(balls.numpy(), recalled.numpy(), covered.numpy())


def _some(hits: Tensor, in_block: Tensor) -> Tensor:
    """Whether each of n rows has a hit among all m columns, then without each block: (1 + blocks, n)."""
    count = hits.float() @ in_block
    total = count.sum(1, keepdim=True)
    return torch.cat([total, total - count], 1).T > 0


def _squared_radii(points: Tensor, k: int) -> Tensor:
    """Return the squared distance of each of n points to its k-th nearest other one, shape (n,)."""
    radii = []
    for rows in torch.arange(len(points)).split(ROWS):
        squared = _squared_distances(points[rows], points)
        squared[torch.arange(len(rows)), rows] = torch.inf
        radii.append(squared.topk(k, largest=False).values[:, -1])
    return torch.cat(radii)


def _squared_distances(x: Tensor, y: Tensor) -> Tensor:
    return (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp_(min=0)
