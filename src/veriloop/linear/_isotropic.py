"""A round of the isotropic design: random covariates, and least squares on the accepted rows."""

import numpy as np

from ..errors import ExhaustedError
from ._proposals import Floats
from ._sampling import Precision

_BLOCK = 1 << 16
"""Covariate entries proposed at once, 256 KB in float32."""

_PATIENCE = 10_000
"""Proposals per wanted sample before a verifier counts as accepting nothing."""


def isotropic_round(
    state: Floats, n: int, radius: float, slack: float, rng: np.random.Generator, precision: Precision
) -> Floats:
    """Take chains through one round with covariates ``x ~ N(0, I / p)`` and ``p * n`` accepted samples each.

    The scale makes ``E ||x||^2 = 1`` and the information per direction that of n samples per direction of the
    block design. A sample is accepted iff ``|x^T delta + xi| <= radius ||x|| + slack``; the next delta is the
    least squares fit to the first ``p * n`` accepted samples.

    Args:
        state: ``delta = (theta - theta_c) / sigma`` of each chain, shape ``(chains, p)``.
        n: Accepted samples per direction.
        radius: The verifier's radius in units of sigma; inf accepts everything.
        slack: ``sigma_c / sigma``.
        rng: The only source of randomness.
        precision: Precision of covariates and labels; the normal equations are summed in float64.

    Returns:
        The next states, shape ``(chains, p)``.

    Raises:
        ExhaustedError: The verifier accepts fewer than one sample in 10,000.
    """
    chains, p = state.shape
    gram, moment = np.zeros((chains, p, p)), np.zeros((chains, p))
    need = np.full(chains, n * p)
    pending = np.arange(chains)
    proposed, accepted = 0, 0
    while pending.size:
        # Aim at what is missing; the first accepted ones are kept, in order, so too many do no harm.
        rate = accepted / proposed if accepted else 0.7
        width = min(int(np.ceil(1.1 * need[pending].mean() / rate)), _BLOCK // p)
        step = max(1, _BLOCK // (width * p))
        for first in range(0, pending.size, step):
            rows = pending[first : first + step]
            x, residual, mask = _propose(state[rows], width, radius, slack, rng, precision)
            mask &= np.cumsum(mask, axis=1) <= need[rows, None]
            kept = x * mask[:, None, :]
            gram[rows] += kept @ np.swapaxes(x, 1, 2)
            moment[rows] += (kept @ residual[..., None])[..., 0]
            need[rows] -= np.count_nonzero(mask, axis=1)
        proposed += pending.size * width
        accepted = chains * n * p - int(need.sum())
        if proposed > _PATIENCE * (accepted + chains * n * p):
            raise ExhaustedError(
                "the verifier accepts almost nothing",
                got=f"fewer than 1 in {_PATIENCE} samples",
                fix="raise radius or sigma_c",
            )
        pending = pending[need[pending] > 0]
    return np.linalg.solve(gram, moment[..., None])[..., 0].astype(np.float64, copy=False)


def _propose(
    state: Floats, width: int, radius: float, slack: float, rng: np.random.Generator, precision: Precision
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Propose samples, ``width`` for each chain.

    Returns:
        Covariates ``(rows, p, width)``; labels less ``x^T theta_c`` in noise units, and whether the verifier
        accepts them, both ``(rows, width)``.
    """
    dtype = np.dtype(precision).type
    rows, p = state.shape
    x = rng.standard_normal((rows, p, width), dtype=dtype)
    x /= dtype(np.sqrt(p))
    residual = (state.astype(dtype)[:, None, :] @ x)[:, 0]
    residual += rng.standard_normal((rows, width), dtype=dtype)
    limit = dtype(radius) * np.sqrt(np.einsum("rpw,rpw->rw", x, x)) + dtype(slack)
    return x, residual, np.abs(residual) <= limit
