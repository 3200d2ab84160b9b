"""Whole phase diagrams at once: the theory over a grid of verifier bias and radius.

Every quantity here is a sum over directions of one smooth function of two numbers, the direction's offset and
the half width b. So the function is computed on a small tensor of Chebyshev points and the grid is filled by
two matrix products. The number of points follows from where the function is analytic (``_quadrature.STRIP``),
which keeps the result equal to the cell-by-cell computation to about 1e-11, at less than a thousandth of its
cost.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DomainError
from ._chain import chain_errors
from ._estimators import EstimatorErrors, estimator_parts
from ._one_round import Method, round_parts
from ._quadrature import STRIP, chebyshev, chebyshev_count, lagrange
from ._stationary import stationary_second_moment
from ._system import LinearSystem
from ._trajectory import best_round, classify
from .validation import Floats, SampleSizes, grid_axis, sample_sizes, schedule


@dataclass(frozen=True, eq=False)
class OneRoundGrid:
    """One round over a grid; arrays have shape ``(len(biases), len(radii))``, as in :class:`OneRound`."""

    biases: Floats
    radii: Floats
    mse: Floats
    baseline: float
    synthetic_variance: Floats
    verification_error: Floats
    acceptance_rate: Floats

    @property
    def log_gain(self) -> Floats:
        """Half the log of ``baseline / mse``: above 0 where retraining helps (the paper's heat map)."""
        return 0.5 * np.log(self.baseline / self.mse)


@dataclass(frozen=True, eq=False)
class TrajectoryGrid:
    """Trajectories over a grid; fields as in :class:`Trajectory`.

    Attributes:
        biases: Shape ``(I,)``.
        radii: Shape ``(J,)``.
        mse_star: Shape ``(K + 1, I, J)``.
        mse_center: Shape ``(K + 1, I, J)``.
        best_round: Shape ``(I, J)``.
        regime: Values of :class:`Regime`, shape ``(I, J)``.
        floor: Shape ``(I, J)``.
    """

    biases: Floats
    radii: Floats
    mse_star: Floats
    mse_center: Floats
    best_round: NDArray[np.intp]
    regime: NDArray[np.str_]
    floor: Floats


def one_round_grid(
    system: LinearSystem,
    biases: ArrayLike,
    radii: ArrayLike,
    n: float,
    method: Method = "exact",
    direction: ArrayLike | None = None,
) -> OneRoundGrid:
    """Compute :func:`one_round_mse` for every pair of a bias and a radius; the ball may miss theta*.

    Args:
        system: Linear system that provides everything except bias and radius.
        biases: Distances ``||theta* - theta_c||``, shape ``(I,)``.
        radii: Shape ``(J,)``.
        n: Accepted samples per direction.
        method: As in :func:`one_round_mse`.
        direction: Vector from theta* to theta_c, shape ``(p,)``, any length; the system's own when None.

    Raises:
        DomainError: An argument is out of range or of the wrong shape, or no direction is known.
    """
    tensor = _Tensor.of(system, biases, radii, direction)
    size = float(sample_sizes(n))
    step, kept, rate = tensor.fill(
        round_parts(tensor.offset, tensor.half_width[:, None], tensor.spread, method)
    )
    scale = system.sigma**2
    return OneRoundGrid(
        biases=tensor.biases,
        radii=tensor.radii,
        mse=scale * (step / size + kept),
        baseline=system.baseline,
        synthetic_variance=scale * step / size,
        verification_error=scale * kept,
        acceptance_rate=rate / system.dimension,
    )


def trajectory_grid(
    system: LinearSystem,
    biases: ArrayLike,
    radii: ArrayLike,
    n: SampleSizes,
    rounds: int,
    direction: ArrayLike | None = None,
) -> TrajectoryGrid:
    """Compute :func:`trajectory` for every pair of a bias and a radius.

    Arguments as in :func:`trajectory` and :func:`one_round_grid`.

    Raises:
        DomainError: An argument is out of range or of the wrong shape, or no direction is known.
    """
    sizes = schedule(n, rounds)
    tensor = _Tensor.of(system, biases, radii, direction)
    errors = chain_errors(tensor.offset, tensor.half_width, tensor.spread, sizes)
    star, center = (system.sigma**2 * tensor.fill(part) for part in errors)
    stationary = tensor.radius_weights @ stationary_second_moment(tensor.half_width, np.asarray(sizes[-1]))
    floor = tensor.biases[:, None] ** 2 + system.sigma**2 * system.dimension * stationary
    return TrajectoryGrid(
        biases=tensor.biases,
        radii=tensor.radii,
        mse_star=star,
        mse_center=center,
        best_round=best_round(star),
        regime=classify(star, floor),
        floor=floor,
    )


def estimators_grid(
    system: LinearSystem, biases: ArrayLike, radii: ArrayLike, n: float, direction: ArrayLike | None = None
) -> EstimatorErrors:
    """Compute :func:`compare_estimators` for every bias and radius, each error of shape ``(I, J)``.

    Raises:
        DomainError: An argument is out of range or of the wrong shape, or no direction is known.
    """
    tensor = _Tensor.of(system, biases, radii, direction)
    parts = estimator_parts(tensor.offset, tensor.half_width[:, None], tensor.spread, sample_sizes(n))
    return EstimatorErrors(*(system.sigma**2 * tensor.fill(parts)))


@dataclass(frozen=True, eq=False)
class _Tensor:
    """Points (offset, half width) at which functions are computed, and what fills the grid from them.

    Attributes:
        biases: Shape ``(I,)``.
        radii: Shape ``(J,)``.
        offset: Offsets of the points, shape ``(D,)``: one Chebyshev set for each distinct spread.
        spread: Their spreads, shape ``(D,)``.
        half_width: Shape ``(B,)``.
        bias_weights: Sums the interpolants over the p directions, shape ``(I, D)``.
        radius_weights: Shape ``(J, B)``.
    """

    biases: Floats
    radii: Floats
    offset: Floats
    spread: Floats
    half_width: Floats
    bias_weights: Floats
    radius_weights: Floats

    @classmethod
    def of(
        cls, system: LinearSystem, biases: ArrayLike, radii: ArrayLike, direction: ArrayLike | None
    ) -> "_Tensor":
        """Return the points for a grid of biases, shape (b,), and radii, shape (r,).

        Raises:
            DomainError: A radius is so small that nothing would be accepted.
        """
        bias_axis, radius_axis = grid_axis("biases", biases), grid_axis("radii", radii)
        along = np.abs(system.directions @ system.unit_direction(direction)) / system.sigma
        # All functions are even in the offset, so its sign is dropped.
        offsets = bias_axis[:, None] * along
        farthest = float(offsets.max())
        points = farthest / 2 * (1 + chebyshev(chebyshev_count(farthest / 2)))
        rows = _interpolation(points, offsets)
        spreads, group = np.unique(system.spreads, return_inverse=True)
        bias_weights = np.zeros((len(bias_axis), len(spreads), len(points)))
        for j, g in enumerate(group):
            bias_weights[:, g] += rows[:, j]

        widths = (radius_axis + system.sigma_c) / system.sigma
        if widths.min() <= 0:
            raise DomainError(
                "a verifier with radius 0 and sigma_c 0 never accepts", fix="start radii above 0"
            )
        # Small half widths meet poles at b = i pi / u, where u reaches as far as the start model does.
        strip = min(STRIP, np.pi / (farthest + 4 * float(spreads.max())))
        low, high = float(widths.min()), float(widths.max())
        count = chebyshev_count((high - low) / 2, strip)
        half_width = (
            widths if count >= len(widths) else (low + high) / 2 + (high - low) / 2 * chebyshev(count)
        )
        return cls(
            biases=bias_axis,
            radii=radius_axis,
            offset=np.tile(points, len(spreads)),
            spread=np.repeat(spreads, len(points)),
            half_width=half_width,
            bias_weights=bias_weights.reshape(len(bias_axis), -1),
            radius_weights=np.eye(len(widths))
            if half_width is widths
            else _interpolation(half_width, widths),
        )

    def fill(self, values: Floats) -> Floats:
        """Convert values at points, ``(..., B, D)``, to sums over directions on the grid, ``(..., I, J)``."""
        return self.bias_weights @ np.swapaxes(values, -1, -2) @ self.radius_weights.T


def _interpolation(points: Floats, targets: Floats) -> Floats:
    """Return rows that interpolate from Chebyshev ``points`` (ascending) to ``targets`` in their range."""
    center, radius = (points[-1] + points[0]) / 2, (points[-1] - points[0]) / 2
    scaled = (targets - center) / radius if radius > 0 else np.zeros_like(targets)
    return lagrange(len(points), np.clip(scaled, -1.0, 1.0))
