"""How good will the next model be? From the quality of what it is trained on, and what a learner makes of it.

What a verifier keeps can be measured before any training: it is how good a model would be that makes such
samples and nothing else. A learner makes something else of them. How much, the run's own rounds show: each
has a kept set and a model that was trained on it. A line through these pairs takes a rival's kept set to its
model.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..laws import student_quantile
from ..quantity import Quantity
from .intervals import LEVEL, Interval

_SLOPE = 0.3
"""How far the slope may be from 1 before any pair is seen, as a standard deviation."""

_SHIFT = 1.0
"""How much a learner may add or lose, as a standard deviation, in units of the models' own values."""

_SCATTER, _COUNTS = 0.18, 8.0
"""The scatter of models about the line, as a share of their values, and for how many pairs this guess counts.

It counts for many, as the pairs are of one or two verifiers and scatter little among themselves: what a
learner makes of another one's kept set may differ more. Found on six verifiers of digits
(`benchmarks/reverify.py`, seed 0, which is not among its results)."""

_LEAST = 0.25
"""Scatter does not shrink with values below this share of the models' own."""


class Pair(NamedTuple):
    """A finished round: the quality of what was kept, and of the model that was trained on it."""

    kept: float
    model: float


def predict(kept: float, pairs: Sequence[Pair], quantity: Quantity) -> Interval:
    """The quality of a model trained on samples of quality ``kept``, with its 95 % interval.

    Bayesian regression of models on kept sets with a conjugate prior and errors in proportion to the values,
    so that one pair is enough to begin with and the interval is Student's.

    Args:
        kept: Of what a rival keeps.
        pairs: Of the run's finished rounds; at least one.
        quantity: What is measured; its bounds hold.
    """
    x, y = (np.array(side, np.float64) for side in zip(*pairs, strict=True))
    unit = float(np.sqrt(np.mean(y**2))) or 1.0
    middle, level = float(x.mean()), np.maximum(np.abs(y), _LEAST * unit)
    design = np.column_stack([np.ones(len(x)), x - middle]) / level[:, None]
    target = y / level
    prior = np.diag([(_SCATTER / (_SHIFT * unit)) ** 2, (_SCATTER / _SLOPE) ** 2])
    expected = np.array([middle, 1.0])  # a learner that loses nothing: the model is as good as what it saw
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
