"""Means of n accepted draws, many rows at once: exact sampling from truncated normals by rejection.

Each row is one direction of one chain, with its own interval [alpha, beta]. Only the sum of its n accepted
draws is kept, so memory does not grow with n. A row uses the proposal that costs it least (`_proposals`); the
draws are made in NumPy (`_passes`) or on a torch device (`_device`).
"""

from typing import Literal, TypeAlias

import numpy as np

from ..errors import DomainError
from ..theory.validation import count
from ._device import sums_on
from ._passes import sums_of
from ._proposals import EXPONENTIAL, NORMAL, UNIFORM, Floats, Proposal, cheapest

Precision: TypeAlias = Literal["float32", "float64"]


def accepted_means(
    alpha: Floats,
    beta: Floats,
    n: int,
    rng: np.random.Generator,
    precision: Precision = "float32",
    device: str | None = None,
) -> Floats:
    """Draw the mean of ``n`` values from the standard normal truncated to [alpha, beta], for each row.

    Args:
        alpha: Lower ends, shape ``(rows,)``; may be -inf.
        beta: Upper ends, each above its ``alpha``; may be inf.
        n: Draws per row, at least 1.
        rng: The only source of randomness.
        precision: Precision of single draws; means are float64.
        device: A torch device to draw on; NumPy when None. The draws differ, their distribution does not.

    Returns:
        Shape ``(rows,)``.

    Raises:
        DomainError: An interval is empty or NaN, or ``n`` is not a count.
    """
    if not np.all(alpha < beta):
        raise DomainError("the truncation interval is empty or NaN", expected="alpha < beta")
    n = count("n", n)
    mirrored = -alpha > beta
    low, high = np.where(mirrored, -beta, alpha), np.where(mirrored, -alpha, beta)
    kind, rate = cheapest(low, high)
    means = np.empty(len(low))
    for which in (NORMAL, UNIFORM, EXPONENTIAL):
        rows = np.flatnonzero(kind == which)
        if rows.size:
            proposal = Proposal.of(which, low[rows], high[rows], rate[rows], np.dtype(precision))
            sums = sums_of(proposal, n, rng) if device is None else sums_on(device, proposal, n, rng)
            means[rows] = proposal.shift + proposal.scale * sums / n
    return np.where(mirrored, -means, means)
