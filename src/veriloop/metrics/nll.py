"""Negative log-likelihood of held-out samples, for models with a density."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from .base import Evaluation, Metric
from .standard_errors import mean


class NLL(Metric, frozen=True):
    """``nll``: the mean negative log density of held-out samples under the model, in nats.

    It needs a model with a method ``log_density(samples)``; for others, and if a sample is impossible under
    the model, it cannot be measured. The standard error is that of a mean over the held-out samples, which
    are its rows.

    Cost: one density per held-out sample.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "nll": Quantity(
            "Negative log-likelihood",
            better="lower",
            unit="nats",
            meaning="How surprising held-out samples are to the model.",
        ),
    }

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        log_density = getattr(evaluation.generator, "log_density", None)
        if log_density is None:
            return {"nll": Estimate(np.nan, np.nan)}
        surprise = -np.asarray(log_density(evaluation.real), np.float64)
        return {"nll": mean(surprise) if np.isfinite(surprise).all() else Estimate(np.nan, np.nan)}
