"""How good will the next model be? From the quality of what it is trained on, and what a learner makes of it.

What a verifier keeps can be measured before any training: it is how good a model would be that makes such
samples and nothing else. A learner makes something else of them. How much, the run's own rounds show: each
has a kept set and a model that was trained on it. One line through these pairs, in the scale in which the
quantity has no bounds, takes a rival's kept set to its model.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit, stdtrit

from ..quantity import Quantity
from .intervals import LEVEL, Interval

_SLOPE = 0.3
"""How far the slope may be from 1, as a standard deviation: a learner that loses more where there is more."""

_SHIFT = 1.0
"""How much a learner may lose, as a standard deviation in the scale of the line."""

_SCATTER, _COUNTS = 0.15, 3.0
"""The scatter of models about the line before any pair is seen, and for how many pairs this counts."""

_EDGE = 1e-3
"""Shares are kept this far from 0 and 1."""


class Pair(NamedTuple):
    """A finished round: the quality of what was kept, and of the model that was trained on it."""

    kept: float
    model: float


def predict(kept: float, pairs: Sequence[Pair], quantity: Quantity) -> Interval:
    """The quality of a model trained on samples of quality ``kept``, with its 95 % interval.

    Bayesian regression of models on kept sets with a conjugate prior, so that one pair is enough to begin
    with and the interval is Student's.

    Args:
        kept: Of what a rival keeps.
        pairs: Of the run's finished rounds; at least one.
        quantity: What is measured.
    """
    to, back = _scale(quantity)
    x, y = (np.array([to(value) for value in side]) for side in zip(*pairs, strict=True))
    middle = float(x.mean())
    design = np.column_stack([np.ones(len(x)), x - middle])
    prior = np.diag([(_SCATTER / _SHIFT) ** 2, (_SCATTER / _SLOPE) ** 2])
    expected = np.array([middle, 1.0])  # without a loss: the model is as good as what it saw
    precision = prior + design.T @ design
    line = np.linalg.solve(precision, prior @ expected + design.T @ y)
    misses = y - design @ line
    off = line - expected
    degrees = _COUNTS + len(x)
    variance = (_COUNTS * _SCATTER**2 + misses @ misses + off @ prior @ off) / degrees
    here = np.array([1.0, to(kept) - middle])
    value = float(here @ line)
    spread = math.sqrt(variance * (1 + here @ np.linalg.solve(precision, here)))
    half = float(stdtrit(degrees, (1 + LEVEL) / 2)) * spread
    ends = sorted(back(value + sign * half) for sign in (-1, 1))
    return Interval(value=back(value), low=ends[0], high=ends[1])


def _scale(quantity: Quantity) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Into the scale in which the quantity has no bounds, and back: log, logit, or as it is."""
    low, high = quantity.bounds
    if math.isfinite(low) and math.isfinite(high):
        wide = high - low
        return (
            lambda v: float(logit(np.clip((v - low) / wide, _EDGE, 1 - _EDGE))),
            lambda z: low + wide * float(expit(z)),
        )
    if math.isfinite(low):
        return lambda v: math.log(max(v - low, 1e-12)), lambda z: low + math.exp(z)
    return float, float
