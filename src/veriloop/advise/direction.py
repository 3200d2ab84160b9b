"""Which way a metric is better, and between what it lies: for reports, forecasts and stop rules."""

import math
import re
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Better = Literal["lower", "higher", "near one", ""]
"""Empty when neither way is better, by itself, or when the metric is not known."""

_BETTER: dict[str, Better] = {
    "frechet": "lower",
    "fid": "lower",
    "nelbo": "lower",
    "reconstruction": "lower",
    "accuracy": "higher",
    "precision": "higher",
    "recall": "higher",
    "density": "higher",
    "coverage": "higher",
    "diversity": "near one",
    "rouge1": "higher",
    "rouge2": "higher",
    "rougeL": "higher",
    "distinct1": "higher",
    "distinct2": "higher",
    "bigram_entropy": "higher",
    "empty": "lower",
    "loss": "lower",
    "check": "higher",
    "check_abstained": "lower",
    "parameter_error": "lower",
}

_SHARES = frozenset(
    {"accuracy", "precision", "recall", "coverage", "rouge1", "rouge2", "rougeL"}
    | {"distinct1", "distinct2", "empty", "copied", "check_abstained"}
)
_NOT_NEGATIVE = frozenset(
    {"frechet", "fid", "density", "diversity", "bigram_entropy", "length", "loss", "parameter_error"}
)


def better(metric: str) -> Better:
    """Which way ``metric`` is better; ``accuracy_3``, of one class, as ``accuracy`` is."""
    return _BETTER.get(_whole(metric), "")


def range_of(metric: str) -> tuple[float, float]:
    """The least and the greatest value that ``metric`` can have, as far as known."""
    if _whole(metric) in _SHARES:
        return 0.0, 1.0
    return (0.0 if _whole(metric) in _NOT_NEGATIVE else -math.inf), math.inf


def loss_of(direction: Better) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """What turns values into numbers of which the lower is better; the values themselves if not known."""
    match direction:
        case "higher":
            return lambda values: -values
        case "near one":
            return lambda values: np.abs(values - 1)
    return lambda values: values


def _whole(metric: str) -> str:
    return re.sub(r"_\d+$", "", metric)
