"""A group of grid cells for one round each: the work item of a phase diagram."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DomainError
from ..executors.threads import limit_threads
from ..rng import Address, Stage
from ..theory import LinearSystem
from ..theory.validation import grid_axis
from ._proposals import Floats
from ._sampling import Precision, accepted_means

_ARM = "grid"


@dataclass(frozen=True, eq=False)
class Grid:
    """Data that all cells share; lengths are in units of sigma.

    Attributes:
        biases: Biases, shape ``(I,)``, in the units of theta.
        radii: Radii, shape ``(J,)``, in the units of theta.
        offsets: ``v_j^T (theta_c - theta*) / sigma`` for each bias, shape ``(I, p)``.
        half_widths: Half widths, shape ``(J,)``.
        spreads: Spreads of the start model, shape ``(p,)``.
        n: Accepted samples per direction.
        replicates: Replicates in each cell.
        seed: The run's seed.
        precision: Precision of single draws.
    """

    biases: Floats
    radii: Floats
    offsets: Floats
    half_widths: Floats
    spreads: Floats
    n: int
    replicates: int
    seed: int
    precision: Precision

    @classmethod
    def of(
        cls,
        system: LinearSystem,
        biases: ArrayLike,
        radii: ArrayLike,
        direction: ArrayLike | None,
        n: int,
        replicates: int,
        seed: int,
        precision: Precision,
    ) -> "Grid":
        """Check the axes and convert them to the system's directions.

        Raises:
            DomainError: An axis is invalid, no direction is known, or a verifier would never accept.
        """
        bias_axis, radius_axis = grid_axis("biases", biases), grid_axis("radii", radii)
        along = system.directions @ system.unit_direction(direction) / system.sigma
        half_widths = (radius_axis + system.sigma_c) / system.sigma
        if half_widths.min() <= 0:
            raise DomainError(
                "a verifier with radius 0 and sigma_c 0 never accepts", fix="start radii above 0"
            )
        return cls(
            biases=bias_axis,
            radii=radius_axis,
            offsets=bias_axis[:, None] * along,
            half_widths=half_widths,
            spreads=system.spreads,
            n=n,
            replicates=replicates,
            seed=seed,
            precision=precision,
        )


def run_cells(grid: Grid, item: tuple[int, range]) -> Floats:
    """Simulate ``item = (group, cells)``, cells counted along the radii first.

    Returns:
        Mean squared error after the round, its standard error, and the mean squared error before it, in units
        of sigma^2; shape ``(3, len(cells))``.
    """
    group, cells = item
    row, column = np.unravel_index(np.asarray(cells), (len(grid.biases), len(grid.radii)))
    offset = grid.offsets[row][:, None, :]
    shape = (len(cells), grid.replicates, offset.shape[-1])
    address = Address(grid.seed, _ARM, 0, Stage.DATA, group)
    with limit_threads(1):
        start = grid.spreads * address.rng().standard_normal(shape)  # theta_0 - theta*
        shift = start - offset
        b = grid.half_widths[column][:, None, None]
        low, high = ((edge - shift).ravel() for edge in (-b, b))
        means = accepted_means(low, high, grid.n, address.at(Stage.GENERATE, group).rng(), grid.precision)
        after = ((start + means.reshape(shape)) ** 2).sum(axis=-1)
    error = after.std(axis=1, ddof=1) / np.sqrt(grid.replicates)
    return np.stack([after.mean(axis=1), error, (start**2).sum(axis=-1).mean(axis=1)])
