"""Fréchet distance between real and generated samples, in features of images or the columns of a table."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..quantity import Quantity
from ..records import Estimate
from .base import Evaluation
from .classifiers import FeatureMetric, by_features
from .standard_errors import by_row, of_stratified_mean, within


class Frechet(FeatureMetric, frozen=True):
    """Fréchet distance between Gaussian fits of real and generated features.

    This is not the FID, which is the same distance in the features of an Inception network trained on
    ImageNet. Values can only be compared in the same features, and titles name features that do not come from
    a classifier.

    It is biased upwards by about the number of features divided by the number of samples; compare values
    measured on equally many samples. The standard error is that of drawing the generated samples (labels and
    held-out images fixed), by the influence function. Rows are the generated samples and the held-out images,
    so that paired comparisons by row also account for the choice of held-out images.

    Cost: 0.3 s for 2,000 + 600 digits, 3 to 5 s for 10,000 + 10,000 MNIST images on one thread; nearly all of
    it classification, shared with other metrics of the same classifier.

    Its attributes are those of `FeatureMetric`.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = by_features(
        {
            "frechet": Quantity(
                "Fréchet distance",
                better="lower",
                low=0,
                meaning="Distance of the samples from held-out real data, in the features of a small"
                " classifier, or in those named in the title.",
            ),
        }
    )

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return ``frechet``; NaN if there are fewer than two samples on either side."""
        generated, real = self.views(evaluation)
        return {"frechet": frechet_distance(real.features, generated.features, generated.label)}


def frechet_distance(
    real: NDArray[np.float64], generated: NDArray[np.float64], stratum: NDArray[np.integer]
) -> Estimate:
    """Return |m - m'|^2 + tr(C + C' - 2 (C C')^(1/2)) for means and covariances of two sets of points.

    (D. Dowson, B. Landau, Journal of Multivariate Analysis 12, 1982: the squared 2-Wasserstein distance
    of two Gaussians.) With T = C^(1/2) (C^(1/2) C' C^(1/2))^(-1/2) C^(1/2), the linear part of the optimal
    map from N(m', C') to N(m, C), its influence function at a generated point x is
    2 (m' - m)^T (x - m') + (x - m')^T (I - T) (x - m') - tr((I - T) C'),
    whose standard deviation over the generated points, divided by the root of their number, is the standard
    error. At a real point it is the same with the sets exchanged.

    Args:
        real: Real points, shape (n, d).
        generated: Generated points, shape (n', d).
        stratum: Fixed class of each generated point, shape (n',).

    Returns:
        The distance (squared, at least 0), its standard error and its rows; NaN with fewer than two points.
        If the covariances are singular, directions without spread count unchanged and add no error.
    """
    if min(len(real), len(generated)) < 2:
        return Estimate(np.nan, np.nan)
    shift = generated.mean(0) - real.mean(0)
    c_real, c_generated = (np.cov(x, rowvar=False).reshape(len(shift), -1) for x in (real, generated))
    traces, influence = _half(generated, shift, c_generated, c_real)
    distance = max(float(shift @ shift + np.trace(c_real) + np.trace(c_generated) - 2 * traces), 0.0)
    _, of_real = _half(real, -shift, c_real, c_generated)
    error = of_stratified_mean(influence, stratum)
    return by_row(distance, error, within(influence, stratum), of_real)


def _half(
    points: NDArray[np.float64],
    shift: NDArray[np.float64],
    own: NDArray[np.float64],
    other: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Return the trace of (C C')^(1/2), and what ``points`` with covariance ``own`` add, up to a constant."""
    root = _root(other)
    values, vectors = np.linalg.eigh(root @ own @ root)
    roots = np.sqrt(np.clip(values, 0, None))
    # Rounding leaves eigenvalues of about 1e-16 of the largest in directions without spread.
    spread = roots > 1e-7 * roots.max(initial=0)
    half = root @ vectors[:, spread] / np.sqrt(roots[spread])
    centred = points - points.mean(0)
    influence = 2 * centred @ shift + (centred**2).sum(1) - ((centred @ half) ** 2).sum(1)
    return float(roots.sum()), influence


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
