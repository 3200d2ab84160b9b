"""The rejection passes of `_passes` on a torch device: the same proposals, drawn and summed on a GPU."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DomainError
from ..extras import require
from ..rng import torch_generator
from ._proposals import EXPONENTIAL, NORMAL, Floats, Proposal

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 24
"""Number of proposals drawn at once: enough to fill a GPU, 200 MB in float32."""

_COLUMNS = 4096
"""Largest number of proposals per row and pass."""


def check_device(device: str) -> None:
    """Refuse a device that this machine does not have.

    Raises:
        MissingExtraError: torch is not installed.
        DomainError: torch knows no such device here.
    """
    require("torch")
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as e:
        raise DomainError("device is not available here", got=device, expected="cpu, cuda or cuda:N") from e


def sums_on(device: str, proposal: Proposal, n: int, rng: np.random.Generator) -> Floats:
    """Sum of the first ``n`` accepted values of s, for each row of ``proposal``; computed on ``device``."""
    import torch

    generator = torch_generator(rng, device)
    bounds = torch.tensor(proposal.bounds, device=device)
    share = torch.tensor(proposal.share, device=device)
    rows_total = bounds.shape[1]
    sums = torch.zeros(rows_total, dtype=torch.float64, device=device)
    need = torch.full((rows_total,), n, device=device)
    pending = torch.arange(rows_total, device=device)
    while pending.numel():
        width = min(int(need[pending].double().mean().ceil()), _COLUMNS)
        order = torch.arange(width, device=device)[:, None]
        for rows in pending.split(max(1, _BLOCK // width)):
            shares = share[rows] if len(share) else share
            s, mask = _propose(proposal.kind, bounds[:, rows], shares, width, generator)
            # At most as many proposals as are still needed, so that none is accepted in vain.
            mask &= order < need[rows]
            sums[rows] += torch.where(mask, s, 0).sum(0, dtype=torch.float64)
            need[rows] -= mask.sum(0)
        pending = pending[need[pending] > 0]
    return sums.cpu().numpy()


def _propose(
    kind: int, bounds: "torch.Tensor", share: "torch.Tensor", width: int, generator: "torch.Generator"
) -> "tuple[torch.Tensor, torch.Tensor]":
    """Return values of s, and whether each is accepted: both ``(width, rows)``. See `Proposal`."""
    import torch

    shape, like = (width, bounds.shape[1]), {"dtype": bounds.dtype, "device": bounds.device}
    if kind == NORMAL:
        s = torch.randn(shape, generator=generator, **like)
        return s, (s >= bounds[0]) & (s <= bounds[1])
    s = torch.rand(shape, generator=generator, **like)
    s = -torch.log1p(-share * s) if kind == EXPONENTIAL else s - 0.5
    coin = torch.rand(shape, generator=generator, **like) / 2
    return s, coin < torch.exp((bounds[2] * s + bounds[1]) * s + bounds[0])
