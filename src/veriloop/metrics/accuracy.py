"""Accuracy of samples: does a generated image match its label?"""

from collections.abc import Mapping
from typing import Annotated, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..datasets.images import LABEL
from ..errors import ConfigError
from ..quantity import Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation
from .classifiers import ClassifierMetric
from .standard_errors import by_row, of_mean, of_stratified_mean, within

USUAL_CLASSES = 10
"""Number of classes of the bundled classifiers, used until the metric is adapted to the data."""


class Accuracy(ClassifierMetric, frozen=True):
    """Share of generated samples that the classifier assigns to the label they were generated for.

    ``accuracy`` is over all samples, ``accuracy_3`` over those with label 3. It does not measure diversity:
    one perfect image per class scores 1. Standard errors are binomial, with the labels fixed. Rows are the
    generated samples.

    Cost: the classification, shared with other metrics of the same classifier.

    Attributes:
        classes: Number of labels; that of the data when None.

    The other fields are those of `ClassifierMetric`.
    """

    classes: Annotated[int, Field(ge=1)] | None = None

    @property
    def quantities(self) -> Mapping[str, Quantity]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """``accuracy``, and its parts by class."""
        meaning = "Share of samples that a classifier assigns to the class they were generated for."
        whole = Quantity("Label accuracy", better="higher", low=0, high=1, meaning=meaning)
        parts = {
            f"accuracy_{c}": Quantity(
                f"Label accuracy, class {c}",
                better="higher",
                low=0,
                high=1,
                meaning=f"Share of samples for class {c} that a classifier assigns to it.",
                part_of="accuracy",
            )
            for c in range(self._classes)
        }
        return {"accuracy": whole, **parts}

    @property
    def _classes(self) -> int:
        return self.classes or USUAL_CLASSES

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema)
        label = suited.label or LABEL
        classes = schema[label].classes
        if self.classes not in (None, classes):
            raise ConfigError(
                "classes of metric 'accuracy'",
                got=self.classes,
                expected=f"{classes}, those of the column {label!r}",
                fix="leave classes out",
            )
        return suited.model_copy(update={"classes": classes})

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return the shares; NaN for a class without samples."""
        generated, _ = self.views(evaluation)
        right = generated.predicted == generated.label
        overall = by_row(
            float(right.mean()) if len(right) else np.nan,
            of_stratified_mean(right, generated.label),
            within(right, generated.label),
        )
        by_class = [right[generated.label == c] for c in range(self._classes)]
        return {
            "accuracy": overall,
            **{
                f"accuracy_{c}": Estimate(float(r.mean()) if len(r) else np.nan, of_mean(r))
                for c, r in enumerate(by_class)
            },
        }
