"""Diversity of samples: do the images of a class differ as much as real ones?"""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..quantity import Near, Quantity
from ..records import Estimate
from .base import Evaluation
from .classifiers import FeatureMetric, by_features
from .standard_errors import by_row


class Diversity(FeatureMetric, frozen=True):
    """Spread of generated features within a class over that of real ones, averaged over the classes.

    The spread of a class is the root of the trace of its feature covariance (root mean squared distance to
    the class mean). 1 is as diverse as real images, 0 is one image per class; values above 1 mean samples
    that scatter more than real ones, such as noisy ones.

    A class with fewer than two generated samples, or without spread among its real ones, is left out. The
    standard error is that of drawing the generated samples, by the delta method. Rows are the generated and
    the held-out samples.

    Cost: a few milliseconds, and the classification, shared with other metrics of the same classifier.

    Its attributes are those of `FeatureMetric`.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = by_features(
        {
            "diversity": Quantity(
                "Diversity",
                watch_falls=True,
                better=Near(1.0),
                low=0,
                meaning="Spread of samples within a class, relative to that of real data.",
            ),
        }
    )

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return ``diversity``; NaN if no class can be measured."""
        generated, real = self.views(evaluation)
        ratios: list[float] = []
        of_made, of_real = np.zeros(len(generated.label)), np.zeros(len(real.label))
        for c in np.unique(real.label):
            made, true = generated.label == c, real.label == c
            spread, influence = _spread(generated.features[made])
            real_spread, real_influence = _spread(real.features[true])
            if np.isfinite(spread) and real_spread > 0:
                ratios.append(spread / real_spread)
                of_made[made] = influence / real_spread / np.count_nonzero(made)
                of_real[true] = -real_influence * spread / real_spread**2 / np.count_nonzero(true)
        if not ratios:
            return {"diversity": Estimate(np.nan, np.nan)}
        shares = [part / len(ratios) * len(part) for part in (of_made, of_real)]
        error = float(np.sqrt(np.mean(shares[0] ** 2) / len(of_made)))
        return {"diversity": by_row(float(np.mean(ratios)), error, *shares)}


def _spread(features: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the root of the trace of the covariance of (n, d) points, and its influences; NaN for n < 2.

    The trace t is, up to 1/n, a mean of squared distances to the mean; its root changes by 1 / (2 sqrt(t)) as
    much. The mean square of the influences, divided by n, is the squared standard error.
    """
    n = len(features)
    if n < 2:
        return np.nan, np.zeros(n)
    squared = ((features - features.mean(0)) ** 2).sum(1)
    spread = float(np.sqrt(squared.sum() / (n - 1)))
    if spread == 0:
        return 0.0, np.zeros(n)
    return spread, (squared - squared.mean()) * np.sqrt(n / (n - 1)) / (2 * spread)
