"""Diversity of samples: are the images of a class as different from each other as real ones?"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..quantity import Near, Quantity
from ..records import Estimate
from .base import Evaluation
from .classifiers import ClassifierMetric


class Diversity(ClassifierMetric, frozen=True):
    """Spread of generated features within a class over that of real ones, mean over the classes.

    The spread of a class is the root of the trace of its feature covariance (root mean squared distance
    to the class mean). 1 is as diverse as real images, 0 one image per class; above 1 are samples that
    scatter more than real ones, such as noisy ones.

    A class with fewer than two generated samples, or without spread among its real ones, is left out. The
    standard error is that of drawing the generated samples, by the delta method.

    Cost: a few milliseconds, and the classification, shared with the other metrics of one classifier.

    Its attributes are those of `ClassifierMetric`.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "diversity": Quantity(
            "Diversity",
            better=Near(1.0),
            low=0,
            meaning="The spread of samples within a class, relative to that of real data.",
        ),
    }

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """``diversity``; NaN when no class can be measured."""
        generated, real = self.views(evaluation)
        ratios = []
        for c in np.unique(real.label):
            spread, se = _spread(generated.features[generated.label == c])
            real_spread, _ = _spread(real.features[real.label == c])
            if np.isfinite(spread) and real_spread > 0:
                ratios.append((spread / real_spread, se / real_spread))
        if not ratios:
            return {"diversity": Estimate(np.nan, np.nan)}
        values, errors = np.array(ratios).T
        return {"diversity": Estimate(float(values.mean()), float(np.sqrt((errors**2).sum()) / len(values)))}


def _spread(features: NDArray[np.float64]) -> tuple[float, float]:
    """Root of the trace of the covariance of (n, d) points and its standard error; NaN for n < 2.

    The trace t is, up to 1/n, a mean of squared distances to the mean; its root has SE(t) / (2 sqrt(t)).
    """
    n = len(features)
    if n < 2:
        return np.nan, np.nan
    squared = ((features - features.mean(0)) ** 2).sum(1)
    spread = float(np.sqrt(squared.sum() / (n - 1)))
    if spread == 0:
        return 0.0, 0.0
    return spread, float(np.std(squared, ddof=1) / np.sqrt(n) / (2 * spread))
