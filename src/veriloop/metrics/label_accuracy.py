"""Accuracy of a model of labels."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import mean


class LabelAccuracy(Metric, frozen=True):
    """``label_accuracy``: the share of held-out rows whose label is the model's most likely one.

    It needs a model with a method ``classify(samples)``, such as that of `logistic`; for others it cannot be
    measured. The standard error is that of a mean over the held-out rows, which are its rows.

    Attributes:
        label: Name of the column; None: the data's only label or category that models generate.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "label_accuracy": Quantity(
            "Accuracy",
            better="higher",
            low=0,
            high=1,
            meaning="Share of held-out rows whose most likely label is correct.",
        ),
    }

    label: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        label = schema.pick(f"metric {self.kind!r}", "label", self.label, "label", "category")
        return super().suited_to(schema).model_copy(update={"label": label})

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        classify = getattr(evaluation.generator, "classify", None)
        if classify is None:
            return {"label_accuracy": Estimate(np.nan, np.nan)}
        label = self.label or "label"
        found = np.asarray(classify(evaluation.real)[label]) == np.asarray(evaluation.real[label])
        return {"label_accuracy": mean(found)}
