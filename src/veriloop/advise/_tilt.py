"""One round of retraining as a map of the model's mean, read from one round's rows and verdicts.

The model is treated as a Gaussian location family N(m, S). Its samples at another mean m* are the given ones
with weights w_i ~ exp((m* - m)^T S^-1 (x_i - m)), so one set of rows and verdicts shows where retraining
leads from any m* in reach (exponential families: O. Barndorff-Nielsen, 1978).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._judged import Judged
from ._rows import Floats, Moments

FEW = 10
"""Number of accepted rows per feature below which covariances are shrunk towards their diagonals."""

_FLAT = 1e-6
"""Share of the features' mean variance below which a direction is a combination of others."""

_WINDOW = 0.5
"""Window around the threshold: from the best q (1 - 0.5) to the best q (1 + 0.5), as shares of all rows."""


class Step(NamedTuple):
    """The result of one round from a mean m*; all means are relative to that of the generated rows.

    Attributes:
        mean: T(m*), shape (d,).
        slope: dT/dm*, shape (d, d).
        influence: Contribution of each block to the error of T at fixed weights, shape (blocks, d).
        ess: Effective number of accepted rows, 1 / sum of v_i^2 for weights v of sum 1.
        scatter: Covariance of the accepted at m*, shape (d, d).
        window: Effective number of rows at the threshold; infinite when there is none.
    """

    mean: Floats
    slope: Floats
    influence: Floats
    ess: float
    scatter: Floats
    window: float


class Tilt:
    """The map T(m*) of rows with verdicts, and the terms of its errors.

    Attributes:
        shrinkage: Share by which covariances are moved towards their diagonals.
        root: Root of the model's S, shape (d, r): S = root root^T except in directions that hardly vary.
        inverse: Its inverse within the r directions that vary, shape (r, d).
    """

    def __init__(self, judged: Judged) -> None:
        rows, n_accepted = judged.rows, int(judged.accepted.sum())
        self._judged, self.rows = judged, rows
        self.shrinkage = rows.d / (rows.d + n_accepted) if n_accepted < FEW * rows.d else 0.0
        # If features depend on each other, S has no inverse: directions that hardly vary are left out. The
        # root is the symmetric one, so that a direction in spreads is a feature where features are alone.
        scale = np.sqrt(rows.covariance.diagonal())
        sizes, vectors = np.linalg.eigh(self._shrunk(rows.covariance) / np.outer(scale, scale))
        varying = sizes > _FLAT
        sizes, vectors = np.sqrt(sizes[varying]), vectors[:, varying]
        turn = vectors.T if varying.all() else np.eye(len(sizes))
        self.root = scale[:, None] * ((vectors * sizes) @ turn)
        self.inverse = turn.T @ ((vectors / sizes).T / scale)

    def precision_times(self, x: Floats) -> Floats:
        """Return S^-1 x for a vector or for the columns of a matrix."""
        return self.inverse.T @ (self.inverse @ x)

    def whiten(self, x: Floats) -> Floats:
        """Return rows of ``x`` in units of the model's spread: squared lengths are x^T S^-1 x."""
        return x @ self.inverse.T

    def length(self, x: Floats) -> float:
        """Return the length of one vector in units of the model's spread."""
        return float(np.sqrt(x @ self.precision_times(x)))

    def step(self, mean: Floats, error: Floats) -> tuple[Step, Floats]:
        """Return one round from ``mean``.

        Args:
            mean: m*, relative to the generated rows' mean, shape (d,).
            error: Contribution of each block to the error of ``mean``, shape (blocks, d).

        Returns:
            The step, and the contribution of each block to the error of its mean T(m*).
        """
        natural = self.precision_times(mean)
        along = self.rows.project(natural)
        best_first = self._judged.best_first
        relevant = self._judged.accepted if best_first is None else best_first
        weights = np.exp(np.minimum(along - along[relevant].max(), 0))
        step, moments = (
            self._each_for_itself(weights, along)
            if best_first is None
            else self._best(weights, along, best_first)
        )
        # S is an estimate too: natural has the error S^-1 (error of m* - error of m - error of S natural).
        sizes = np.bincount(self.rows.block) / self.rows.n
        spread = moments.sums[1] / self.rows.n - np.outer(sizes, self.rows.covariance @ natural)
        own = (self.rows.squares - np.outer(sizes, self.rows.covariance.diagonal())) * natural
        spread = (1 - self.shrinkage) * spread + self.shrinkage * own
        return step, step.influence + (error - self.rows.deviations - spread) @ step.slope.T

    def _each_for_itself(self, weights: Floats, along: Floats) -> tuple[Step, Moments]:
        """Return the step for a fixed acceptance, hard or soft: dT/dm* = S' S^-1."""
        v = np.where(self._judged.accepted, weights, 0.0)
        v /= v.sum()
        moments = self.rows.moments(np.stack([v, along]))
        mean = moments.sums[0].sum(axis=0)
        scatter = self._shrunk(moments.outer - np.outer(mean, mean))
        influence = moments.sums[0] - np.outer(moments.weights[0], mean)
        slope = self._per_mean(scatter)
        return Step(mean, slope, influence, 1 / float(v @ v), scatter, np.inf), moments

    def _best(self, weights: Floats, along: Floats, best_first: NDArray[np.int64]) -> tuple[Step, Moments]:
        """Return the step for the best share q, whose threshold moves with m*.

        dT/dm* = [S' + (T - x_t)(T - m*)^T] S^-1, where x_t is the mean of the rows in a window around the
        threshold.
        """
        share = np.zeros(self.rows.n)
        share[best_first] = weights[best_first] / weights[best_first].sum()
        q = float(self._judged.accepted.sum() / len(best_first))
        ends = np.cumsum(share[best_first])
        v, window = np.zeros((2, self.rows.n))
        v[best_first] = np.clip(q - (ends - share[best_first]), 0, share[best_first]) / q
        half = _WINDOW * min(q, 1 - q)
        window[best_first] = np.where(np.abs(ends - share[best_first] / 2 - q) <= half, share[best_first], 0)
        if not window.any():
            window[best_first[min(int(np.searchsorted(ends, q)), len(best_first) - 1)]] = 1.0
        window /= window.sum()
        moments = self.rows.moments(np.stack([v, along, share, window]))
        mean, _, all_, edge = moments.sums.sum(axis=1)
        scatter = self._shrunk(moments.outer - np.outer(mean, mean))
        influence = (
            moments.sums[0] - np.outer(moments.weights[0], edge) + np.outer(moments.weights[2], edge - mean)
        )
        slope = self._per_mean(scatter + np.outer(mean - edge, mean - all_))
        found = Step(mean, slope, influence, 1 / float(v @ v), scatter, 1 / float(window @ window))
        return found, moments

    def _per_mean(self, per_natural: Floats) -> Floats:
        """Convert dT/d(S^-1 m*) to dT/dm*."""
        return self.precision_times(per_natural.T).T

    def _shrunk(self, covariance: Floats) -> Floats:
        return (1 - self.shrinkage) * covariance + self.shrinkage * np.diag(covariance.diagonal())
