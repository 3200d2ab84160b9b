"""The linear system of the paper by Monte Carlo: many chains at once, every accepted label drawn exactly."""

from ._chunks import Design, Sampling
from ._sampling import Precision, accepted_means
from ._simulate import GridSimulation, Simulation, simulate, simulate_grid

__all__ = [
    "Design",
    "GridSimulation",
    "Precision",
    "Sampling",
    "Simulation",
    "accepted_means",
    "simulate",
    "simulate_grid",
]
