"""A mixture of Gaussians, fitted with scikit-learn's EM algorithm."""

import warnings
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field
from scipy.special import logsumexp
from typing_extensions import override

from ..generator import Generator
from ..samples import Samples
from ..schema import Schema
from ._distributions import draw_normal, log_normal
from ._numbers import NUMERIC, Floats, Layout, load_model, made_of, save_model, training_rows
from .base import Learner

MODEL = "gmm.safetensors"


class MixtureGenerator(Generator):
    """Rows from a mixture of normal distributions.

    Args:
        weight: Weights of the components, shape (k,).
        mean: Means, shape (k, d).
        covariance: Covariances, shape (k, d, d).
        layout: Columns that the d numbers belong to.
        scale: Factor on the covariances for sampling.
    """

    def __init__(
        self, weight: Floats, mean: Floats, covariance: Floats, layout: Layout, scale: float = 1.0
    ) -> None:
        self.weight: Floats = weight
        self.mean: Floats = mean
        self.covariance: Floats = covariance
        self.layout: Layout = layout
        self.scale: float = scale
        self._root = np.sqrt(scale) * np.linalg.cholesky(covariance)

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        component = rng.choice(len(self.weight), n, p=self.weight)
        return Samples(**self.layout.columns(draw_normal(component, self.mean, self._root, rng)))

    def log_density(self, samples: Samples) -> Floats:
        """Return the log density of each of n samples, in nats, shape (n,); -inf off the support."""
        if self.scale == 0:
            return np.full(len(samples), -np.inf)
        log = log_normal(self.layout.matrix(samples), self.mean, self._root)
        with np.errstate(divide="ignore"):
            return np.asarray(logsumexp(log + np.log(self.weight), axis=1))

    @override
    def save(self, directory: Path) -> None:
        arrays = {"weight": self.weight, "mean": self.mean, "covariance": self.covariance}
        save_model(directory / MODEL, arrays, self.layout, scale=self.scale)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        arrays, layout, settings = load_model(directory / MODEL)
        scale = float(str(settings["scale"]))
        return cls(arrays["weight"], arrays["mean"], arrays["covariance"], layout, scale)


class GMM(Learner, frozen=True):
    """A mixture of ``components`` Gaussians over all number and vector columns together.

    A warm start begins EM at the model before, if that has the same number of components.

    Attributes:
        components: Number of components.
        covariance: Form of each covariance: full, its diagonal, or one variance for all directions.
        restarts: Number of EM starts; the result with the highest likelihood is used.
        steps: Largest number of EM steps.
        floor: Number added to variances, in squared units of the data, so that no component shrinks to a
            point.
        scale: Sampling bias (often called lambda): factor on the covariances for sampling.
    """

    generator_type: ClassVar[type[Generator]] = MixtureGenerator

    components: Annotated[int, Field(ge=1)] = 2
    covariance: Literal["full", "diagonal", "spherical"] = "full"
    restarts: Annotated[int, Field(ge=1)] = 1
    steps: Annotated[int, Field(ge=1)] = 200
    floor: Annotated[float, Field(gt=0)] = 1e-6
    scale: Annotated[float, Field(ge=0)] = 1.0

    @override
    def suited_to(self, schema: Schema) -> Self:
        made_of(schema, "learner 'gmm'", NUMERIC)
        return super().suited_to(schema)

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> MixtureGenerator:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        layout, rows = training_rows(samples, list(samples), "learner 'gmm'", max(2, self.components))
        mixture = GaussianMixture(
            self.components,
            covariance_type="diag" if self.covariance == "diagonal" else self.covariance,
            reg_covar=self.floor,
            max_iter=self.steps,
            n_init=self.restarts,
            random_state=int(rng.integers(2**32)),
        )
        if isinstance(init, MixtureGenerator) and init.mean.shape == (self.components, rows.shape[1]):
            mixture.set_params(weights_init=init.weight, means_init=init.mean)
        with warnings.catch_warnings():
            # Fewer distinct rows than components, or EM at its step limit: the model is still the best so
            # far.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(rows)
        weight, mean, covariance = map(np.asarray, (mixture.weights_, mixture.means_, mixture.covariances_))
        # Shares may not sum to exactly 1 because of rounding.
        return MixtureGenerator(
            weight / weight.sum(), mean, _full(covariance, rows.shape[1]), layout, self.scale
        )


def _full(covariance: Floats, d: int) -> Floats:
    """Return covariances as matrices, shape (k, d, d), from arrays with 1, 2 or 3 axes."""
    if covariance.ndim == 1:
        return covariance[:, None, None] * np.eye(d)
    return covariance[:, :, None] * np.eye(d) if covariance.ndim == 2 else covariance
