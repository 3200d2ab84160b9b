"""Many chains at once: Monte Carlo of the linear system, over rounds or over a grid of verifiers."""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol, TypeVar, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DomainError
from ..theory import LinearSystem
from ..theory.validation import SampleSizes, count, schedule
from ._cells import Grid, run_cells
from ._chunks import Design, Job, Sampling, Tally, run_chunk
from ._device import check_device
from ._proposals import Floats
from ._sampling import Precision

_DRAWS = 1 << 21
"""Accepted draws per chunk and round: long enough to hide scheduling, short enough to distribute; part of
every seed."""

_DRAWS_ON_DEVICE = 1 << 28
"""The same number on a torch device, which needs more work at a time."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Mapper(Protocol):
    """The required interface of an executor, see ``veriloop.executors``."""

    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        """Yield ``function(shared, item)`` for each item, in order."""
        ...


@dataclass(frozen=True, eq=False)
class Simulation:
    """Monte Carlo means over replicates, with standard errors; arrays of shape ``(K + 1,)`` for rounds 0..K.

    Attributes:
        mse_star: Mean of ``||theta_k - theta*||^2``.
        mse_star_se: Its standard error.
        mse_center: Mean of ``||theta_k - theta_c||^2``.
        mse_center_se: Its standard error.
        replicates: Number of independent chains.
    """

    mse_star: Floats
    mse_star_se: Floats
    mse_center: Floats
    mse_center_se: Floats
    replicates: int


@dataclass(frozen=True, eq=False)
class GridSimulation:
    """One simulated round over a grid; arrays of shape ``(len(biases), len(radii))``.

    Attributes:
        biases: Distances ``||theta* - theta_c||``.
        radii: Verifier radii.
        mse: Mean of ``||theta_1 - theta*||^2`` over replicates.
        mse_se: Its standard error.
        start: Mean of ``||theta_0 - theta*||^2`` over the same replicates.
        replicates: Independent replicates in each cell.
    """

    biases: Floats
    radii: Floats
    mse: Floats
    mse_se: Floats
    start: Floats
    replicates: int

    @property
    def log_gain(self) -> Floats:
        """Half the log of ``start / mse``: above 0 where retraining helped (the paper's heat map)."""
        return 0.5 * np.log(self.start / self.mse)


def simulate(
    system: LinearSystem,
    n: SampleSizes,
    rounds: int,
    replicates: int,
    seed: int,
    design: Design = "block",
    verified: bool = True,
    executor: Mapper | None = None,
    *,
    sampling: Sampling = "exact",
    precision: Precision = "float32",
    device: str | None = None,
) -> Simulation:
    """Simulate ``replicates`` independent chains of verified retraining.

    Every accepted label is drawn exactly. Equal arguments give equal results on any executor.

    Args:
        system: The linear system.
        n: Accepted samples per direction: one number, or one per round.
        rounds: Number of rounds K, at least 1.
        replicates: Number of chains.
        seed: The run's seed, at least 0.
        design: Covariates of the synthetic data. ``block``: the singular vectors v_j, n times each.
            ``standard``: the coordinate axes, n times each. ``isotropic``: ``x ~ N(0, I / p)``, until p * n
            samples are accepted.
        verified: With False everything is accepted: the collapsing baseline. It starts from the same theta_0.
        executor: Executor of chunks of replicates; this process, one chunk after the other, when None.
        sampling: ``exact``, or ``clt``, which replaces the mean of n accepted labels by a normal of the same
            mean and variance: an approximation, but of a cost that does not depend on n. Not for the
            isotropic design.
        precision: Precision of single draws; ``float64`` costs about 1.5 times as much.
        device: A torch device, such as ``cuda``, that draws the accepted labels of the block and standard
            designs; NumPy when None. Equal arguments give equal results on one kind of device.

    Raises:
        DomainError: An argument is invalid, or there is no such device.
        MissingExtraError: A device is asked for, and torch is not installed.
        ExhaustedError: The isotropic design meets a verifier that accepts almost nothing.
    """
    sizes = _sizes(n, rounds)
    _check_choice("design", design, Design)
    _check_choice("sampling", sampling, Sampling)
    _check_choice("precision", precision, Precision)
    if sampling == "clt" and design == "isotropic":
        raise DomainError("the isotropic design has no clt sampling", fix="use sampling='exact'")
    if device is not None:
        if design == "isotropic" or sampling == "clt":
            raise DomainError("device is not used here", fix="leave it out: NumPy serves this case")
        check_device(device)
    seed = count("seed", seed, low=0)
    job = Job(system, sizes, seed, design, bool(verified), sampling, precision, device)
    draws = _DRAWS if device is None else _DRAWS_ON_DEVICE
    per_replicate = system.dimension * (int(sizes.max()) if sampling == "exact" else 1)
    chunks = _chunks(count("replicates", replicates), max(1, draws // per_replicate))
    tally = reduce(Tally.merge, _map(executor, run_chunk, chunks, job))
    mean, error = system.sigma**2 * tally.mean, system.sigma**2 * tally.standard_error
    return Simulation(mean[0], error[0], mean[1], error[1], tally.count)


def simulate_grid(
    system: LinearSystem,
    biases: ArrayLike,
    radii: ArrayLike,
    n: int,
    replicates: int,
    seed: int,
    direction: ArrayLike | None = None,
    executor: Mapper | None = None,
    *,
    precision: Precision = "float32",
) -> GridSimulation:
    """Simulate one round (block design) for every pair of a bias and a radius; the ball may miss theta*.

    Args:
        system: Gives everything but bias and radius.
        biases: Distances ``||theta* - theta_c||``, shape ``(I,)``.
        radii: Shape ``(J,)``.
        n: Accepted samples per direction.
        replicates: Independent replicates in each cell, at least 2.
        seed: The run's seed, at least 0.
        direction: From theta* to theta_c, shape ``(p,)``, any length; the system's own when None.
        executor: Executor of groups of cells; this process when None.
        precision: Precision of single draws.

    Raises:
        DomainError: An argument is invalid, or no direction is known.
    """
    _check_choice("precision", precision, Precision)
    size, per_cell = int(_sizes(n, 1)[0]), count("replicates", replicates, low=2)
    grid = Grid.of(system, biases, radii, direction, size, per_cell, count("seed", seed, low=0), precision)
    shape = (len(grid.biases), len(grid.radii))
    groups = _chunks(math.prod(shape), max(1, _DRAWS // (per_cell * system.dimension * size)))
    results = _map(executor, run_cells, groups, grid)
    mse, error, start = system.sigma**2 * np.concatenate(list(results), axis=1).reshape(3, *shape)
    return GridSimulation(grid.biases, grid.radii, mse, error, start, per_cell)


def _chunks(total: int, length: int) -> list[tuple[int, range]]:
    """Number the pieces of ``range(total)`` of at most ``length``."""
    return [(i, range(first, min(first + length, total))) for i, first in enumerate(range(0, total, length))]


def _map(
    executor: Mapper | None, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any
) -> Iterator[Result]:
    if executor is None:
        return (function(shared, item) for item in items)
    return executor.map(function, items, shared=shared)


def _sizes(n: SampleSizes, rounds: int) -> NDArray[np.int64]:
    sizes = schedule(n, rounds)
    if np.any(np.isinf(sizes)):
        raise DomainError(
            "n is infinite", expected="a whole number", fix="use veriloop.theory for the noiseless limit"
        )
    return sizes.astype(np.int64)


def _check_choice(name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise DomainError(f"{name} is unknown", got=str(value), expected=" or ".join(get_args(choices)))
