"""Predict the quality of the next model from the quality of its training set.

The quality of what a verifier keeps can be measured before any training: it is that of a model that generates
exactly such samples. A learner gives something different. The run's own rounds show how different: each has a
kept set and a model trained on it. A line through these pairs maps a rival's kept set to its model.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..laws import student_quantile
from ..quantity import Quantity
from .intervals import LEVEL, Interval

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
    x, y = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
    unit = float(np.sqrt(np.mean(y**2))) or 1.0
    middle, level = float(x.mean()), np.maximum(np.abs(y), _LEAST * unit)
    design = np.column_stack([np.ones(len(x)), x - middle]) / level[:, None]
    target = y / level
    prior = np.diag([(_SCATTER / (_SHIFT * unit)) ** 2, (_SCATTER / _SLOPE) ** 2])
    expected = np.array([middle, 1.0])  # a perfect learner: the model is as good as its training set
    precision = prior + design.T @ design
    line = np.linalg.solve(precision, prior @ expected + design.T @ target)
    misses, off = target - design @ line, line - expected
    degrees = _COUNTS + len(x)
    variance = (_COUNTS * _SCATTER**2 + misses @ misses + off @ prior @ off) / degrees
    here = np.array([1.0, kept - middle])
    value = float(here @ line)
    own = max(abs(value), _LEAST * unit) ** 2
    spread = math.sqrt(variance * (own + here @ np.linalg.solve(precision, here)))
    half = student_quantile(degrees, (1 + LEVEL) / 2) * spread
    value, low, high = np.clip([value, value - half, value + half], *quantity.bounds).tolist()
    return Interval(value=value, low=low, high=high)
