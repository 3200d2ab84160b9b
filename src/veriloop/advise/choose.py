"""Predict the quality of the next model from the quality of its training set.

The quality of what a verifier keeps can be measured before any training: it is that of a model that generates
exactly such samples. A learner gives something different. The run's own rounds show how different: each has a
kept set and a model trained on it. A line through these pairs maps a rival's kept set to its model.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..laws import student_quantile
from ..quantity import Quantity
from .intervals import LEVEL, Interval

Floats = NDArray[np.floating]

_SLOPE = 0.3
"""Prior standard deviation of the slope around 1."""

_SHIFT = 1.0
"""Prior standard deviation of what a learner adds or loses, in units of the models' own values."""

_SCATTER, _COUNTS = 0.18, 8.0
"""The scatter of models about the line, as a share of their values, and for how many pairs this guess counts.

It counts for many, as the pairs are of one or two verifiers and scatter little among themselves: what a
learner makes of another one's kept set may differ more. Found on six verifiers of digits
(`benchmarks/reverify.py`, seed 0, which is not among its results)."""

_LEAST = 0.25
"""Scatter does not shrink with values below this share of the models' own."""


class Pair(NamedTuple):
    """A finished round: the quality of the kept samples, and of the model trained on them."""

    kept: float
    model: float


def predict(kept: float, pairs: Sequence[Pair], quantity: Quantity) -> Interval:
    """Predict the quality of a model trained on samples of quality ``kept``, with its 95 % interval.

    Bayesian regression of models on kept sets with a conjugate prior and errors in proportion to the values,
    so that one pair is enough and the interval is Student's.

    Args:
        kept: Quality of what a rival keeps.
        pairs: Finished rounds of the run; at least one.
        quantity: Quantity that is measured; its bounds apply.
    """
    line = _Line.of(pairs)
    value = line.at(kept)
    half = line.half([1.0, kept - line.middle], line.own(value))
    value, low, high = np.clip([value, value - half, value + half], *quantity.bounds).tolist()
    return Interval(value=value, low=low, high=high)


def ahead(kept: float, other: float, pairs: Sequence[Pair], quantity: Quantity) -> Interval:
    """Predict by how much the model trained on ``kept`` is better than that on ``other``.

    The line's level is the same for both: where the intervals of two models overlap, the order may be clear.
    What is left is the line's slope, and what a learner makes of each set.

    Args:
        kept: Quality of what one rival keeps.
        other: Quality of what the other one keeps.
        pairs: Finished rounds of the run; at least one.
        quantity: Quantity that is measured, with a direction.

    Returns:
        The difference with its 95 % interval, positive if the first is better. One that holds 0 leaves the
        order open.
    """
    line = _Line.of(pairs)
    values = np.array([line.at(kept), line.at(other)])
    first, second = quantity.loss(np.clip(values, *quantity.bounds)).tolist()
    half = line.half([0.0, kept - other], sum(line.own(value) for value in values.tolist()))
    return Interval(value=second - first, low=second - first - half, high=second - first + half)


class _Line(NamedTuple):
    """Models on kept sets: the posterior of a line.

    Attributes:
        unit: Of the models' values.
        middle: Of the kept sets' qualities, where the line's level is that of ``weights``.
        weights: Level and slope, shape (2,).
        precision: Of these, in units of ``variance``, shape (2, 2).
        variance: Of a model about the line, as a share of its squared value.
        degrees: Degrees of freedom of that.
    """

    unit: float
    middle: float
    weights: Floats
    precision: Floats
    variance: float
    degrees: float

    @classmethod
    def of(cls, pairs: Sequence[Pair]) -> Self:
        """Fit the line through the finished rounds' pairs of qualities."""
        x, y = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
        unit = float(np.sqrt(np.mean(y**2))) or 1.0
        middle, level = float(x.mean()), np.maximum(np.abs(y), _LEAST * unit)
        design = np.column_stack([np.ones(len(x)), x - middle]) / level[:, None]
        target = y / level
        prior = np.diag([(_SCATTER / (_SHIFT * unit)) ** 2, (_SCATTER / _SLOPE) ** 2])
        expected = np.array([middle, 1.0])  # a perfect learner: the model is as good as its training set
        precision = prior + design.T @ design
        weights = np.linalg.solve(precision, prior @ expected + design.T @ target)
        misses, off = target - design @ weights, weights - expected
        degrees = _COUNTS + len(x)
        variance = (_COUNTS * _SCATTER**2 + misses @ misses + off @ prior @ off) / degrees
        return cls(unit, middle, weights, precision, float(variance), degrees)

    def at(self, kept: float) -> float:
        """Return the line's value for a kept set of quality ``kept``."""
        return float(np.dot(self.weights, [1.0, kept - self.middle]))

    def own(self, value: float) -> float:
        """The square that a model's own scatter is a share of."""
        return max(abs(value), _LEAST * self.unit) ** 2

    def half(self, here: Sequence[float], own: float) -> float:
        """Half of the 95 % interval of a sum of level and slope, and of models of this scatter."""
        spread = math.sqrt(self.variance * (own + float(np.dot(here, np.linalg.solve(self.precision, here)))))
        return student_quantile(self.degrees, (1 + LEVEL) / 2) * spread
