"""The paper's linear system, solved exactly: predictions before any training, and a reference for tests.

Symbols follow arXiv 2510.16657. Everything is deterministic, needs NumPy and SciPy only, and works on whole
arrays.
"""

from ._estimators import EstimatorErrors, compare_estimators
from ._grid import OneRoundGrid, TrajectoryGrid, estimators_grid, one_round_grid, trajectory_grid
from ._helpful import ROUNDING, helpful_biases
from ._long_run import acceptance_rate, contraction_rate, long_run_bound, transfer_map
from ._one_round import Method, OneRound, one_round_mse
from ._orthogonal import orthogonal_system, unverified_mse
from ._planning import BestRadius, best_radius, samples_needed
from ._refit import Acceptance, Ball, Gaussian, RefitCourse, Refitted, Slab, SoftQuadratic, refit_rounds
from ._system import LinearSystem
from ._trajectory import Regime, Trajectory, best_round, classify, trajectory
from ._truncated import TruncatedMoments, truncated_cumulants, truncated_moments

__all__ = [
    "ROUNDING",
    "Acceptance",
    "Ball",
    "BestRadius",
    "EstimatorErrors",
    "Gaussian",
    "LinearSystem",
    "Method",
    "OneRound",
    "OneRoundGrid",
    "RefitCourse",
    "Refitted",
    "Regime",
    "Slab",
    "SoftQuadratic",
    "Trajectory",
    "TrajectoryGrid",
    "TruncatedMoments",
    "acceptance_rate",
    "best_radius",
    "best_round",
    "classify",
    "compare_estimators",
    "contraction_rate",
    "estimators_grid",
    "helpful_biases",
    "long_run_bound",
    "one_round_grid",
    "one_round_mse",
    "orthogonal_system",
    "refit_rounds",
    "samples_needed",
    "trajectory",
    "trajectory_grid",
    "transfer_map",
    "truncated_cumulants",
    "truncated_moments",
    "unverified_mse",
]
