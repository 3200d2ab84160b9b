"""The limit of the chain along one direction: its second moment after infinitely many rounds, for any width.

There are four methods, as none is accurate everywhere. Solving for the fixed vector of a round's matrix is
exact, but loses the digits of ``1 / (1 - slowest eigenvalue)`` and of ``b^2 / E u^2``. With many samples, a
round is a small step and the density is that of a diffusion; with very many, the chain stays where its map is
linear. With few samples in a wide interval, the chain is a free random walk except near the edges, so the
density is flat between two edge layers that do not depend on b.
"""

import numpy as np

from ..laws import normal_cdf
from ._chain import basis_size, round_matrix
from ._quadrature import chebyshev, legendre
from ._truncated import truncated_moments
from .validation import Floats

_MANY = 1e5
"""Number of samples from which the diffusion is used: its relative error is about 0.3 / n."""

_LINEAR = 1e5
"""Value of ``n (1 - rho)^2`` from which the map is linear, to 4e-7; the diffusion would lose digits."""

_EDGES = np.array([12.0, 16.0, 20.0])
"""Half widths from which the edge layers are found; beyond the last they are wide intervals."""

_NODES, _LAYER, _DEPTH = 96, 14.0, 40.0
"""The diffusion's density is integrated down to exp(-40), its last 14 noise units apart from the rest."""


def stationary_second_moment(half_width: Floats, n: Floats) -> Floats:
    """Return the limit of ``E u^2`` over rounds with ``n`` accepted samples in each; shape ``B``.

    It does not depend on the start of the chain; the mean is 0 by symmetry. The relative error is below 4e-6,
    measured where two of the methods overlap.

    Args:
        half_width: Shape ``B``.
        n: Shape ``B`` or ``()``.
    """
    b, sizes = np.broadcast_arrays(half_width, n)
    result = np.zeros(b.shape)
    linear = sizes * (1 - truncated_moments(-b, b, order=2).central[0]) ** 2 >= _LINEAR
    many = ~linear & (sizes >= _MANY)
    wide = ~linear & ~many & (b > _EDGES[-1])
    ways = (
        (linear, _autoregression),
        (many, _diffusion),
        (wide, _edge_layers),
        (~(linear | many | wide), _solved),
    )
    for chosen, method in ways:
        chosen = chosen & np.isfinite(sizes)  # without noise the chain ends at the center
        if np.any(chosen):
            result[chosen] = method(b[chosen], sizes[chosen])
    return result


def _solved(b: Floats, n: Floats) -> Floats:
    """Return ``E u^2`` from a left fixed vector of the round's matrix P whose entries sum to 1."""
    count = basis_size(b)
    # The last equation of (P^T - I) x = 0 is redundant.
    equations = np.swapaxes(round_matrix(b, n), -1, -2) - np.eye(count)
    equations[..., -1, :] = 1.0
    right = np.zeros((*b.shape, count, 1))
    right[..., -1, :] = 1.0
    state = np.linalg.solve(equations, right)[..., 0]
    return np.maximum(b**2 * (state @ chebyshev(count) ** 2), 0.0)


def _autoregression(b: Floats, n: Floats) -> Floats:
    rho = truncated_moments(-b, b, order=2).central[0]
    return rho / n / (1 - rho**2)


def _diffusion(b: Floats, n: Floats) -> Floats:
    """Return ``E u^2`` from the density ``Z(u)^(2n)``, Z the acceptance rate.

    A step has mean ``d log Z / du``. The diffusion assumes small steps of variance 1/n; the factor ``2 rho /
    (1 + rho)`` corrects for both, exactly where the map is linear.
    """
    rho = truncated_moments(-b, b, order=2).central[0]
    outside = normal_cdf(-b)

    def log_density(u: Floats) -> Floats:
        """Return the logarithm of the density at ``u``, up to a constant."""
        lost = normal_cdf(u - b) + normal_cdf(-u - b) - 2 * outside
        return 2 * n * np.log1p(-lost / (1 - 2 * outside))

    low, high = np.zeros_like(b), b + 6.0
    for _ in range(200):
        middle = (low + high) / 2
        inside = log_density(middle) > -_DEPTH
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    cut = np.maximum(high - _LAYER, 0.0)
    x, weights = legendre(_NODES)
    mass, second = np.zeros_like(b), np.zeros_like(b)
    for start, end in ((np.zeros_like(b), cut), (cut, high)):
        for node, weight in zip(x, weights, strict=True):
            u = start + (end - start) * node
            density = np.exp(log_density(u)) * weight * (end - start)
            mass += density
            second += density * u**2
    return second / mass * 2 * rho / (1 + rho)


def _edge_layers(b: Floats, n: Floats) -> Floats:
    """Return ``E u^2`` from three narrower intervals with the same edge layers.

    With ``a_i`` the integral of ``d^i`` over the missing density at distance d from an edge, ``E u^2 = (b^3 /
    3 - a_0 b^2 + 2 a_1 b - a_2) / (b - a_0)``: three unknowns, linear in the equations of three widths.
    """
    sizes, place = np.unique(n, return_inverse=True)
    narrower = _solved(np.broadcast_to(_EDGES, (len(sizes), 3)), np.repeat(sizes[:, None], 3, axis=1))
    equations = np.stack(np.broadcast_arrays(_EDGES**2 - narrower, -2 * _EDGES, 1.0), axis=-1)
    layers = np.linalg.solve(equations, (_EDGES**3 / 3 - narrower * _EDGES)[..., None])[place, :, 0].T
    return (b**3 / 3 - layers[0] * b**2 + 2 * layers[1] * b - layers[2]) / (b - layers[0])
