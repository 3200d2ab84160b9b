"""Accuracy of samples: does a generated image show what its label says?"""

from typing import ClassVar

import numpy as np

from ..records import Estimate
from .base import Evaluation, Metric
from .features import AUTO, ClassifierName, views
from .standard_errors import of_mean, of_stratified_mean

CLASSES = 10


class Accuracy(Metric, frozen=True):
    """Share of generated samples that the classifier assigns to the label they were generated for.

    ``accuracy`` is over all samples, ``accuracy_3`` over those of label 3. It says nothing of diversity:
    one perfect image per class scores 1. Standard errors are binomial, with the labels fixed.

    Cost: the classification, shared with the other metrics of one classifier.

    Attributes:
        classifier: Which classifier, see :data:`veriloop.metrics.features.ClassifierName`.
    """

    names: ClassVar[tuple[str, ...]] = ("accuracy", *(f"accuracy_{c}" for c in range(CLASSES)))

    classifier: ClassifierName = AUTO

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """The shares; NaN for a class without samples."""
        generated, _ = views(evaluation, self.classifier)
        right = generated.predicted == generated.label
        overall = Estimate(
            float(right.mean()) if len(right) else np.nan, of_stratified_mean(right, generated.label)
        )
        by_class = [right[generated.label == c] for c in range(CLASSES)]
        return {
            "accuracy": overall,
            **{
                f"accuracy_{c}": Estimate(float(r.mean()) if len(r) else np.nan, of_mean(r))
                for c, r in enumerate(by_class)
            },
        }
