"""How often a model of labels finds the right one."""

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
    """``label_accuracy``: the share of held-out rows whose label is the model's likeliest one.

    It needs a model with a method ``classify(samples)``, such as that of `logistic`; of others it cannot be
    measured. The standard error is that of a mean over the held-out rows, which are its rows.

    Attributes:
        label: The column; None: the data's only label or category that models make.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "label_accuracy": Quantity(
            "Accuracy",
            better="higher",
            low=0,
            high=1,
            meaning="How often the model's likeliest label of a held-out row is the right one.",
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
