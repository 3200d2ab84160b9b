"""Distributions of which each row has its own: log densities and draws."""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

from ._numbers import Floats


def log_normal(numbers: Floats, mean: Floats, root: NDArray[np.floating]) -> Floats:
    """Return the log density of each of n rows under each of k normal distributions, shape (n, k).

    Args:
        numbers: Rows, shape (n, d).
        mean: Means, shape (k, d).
        root: Cholesky factors of the covariances, shape (k, d, d).
    """
    log = np.empty((len(numbers), len(mean)))
    for k in range(len(mean)):
        standard = solve_triangular(root[k], (numbers - mean[k]).T, lower=True)
        norm = np.log(np.diag(root[k])).sum() + numbers.shape[1] / 2 * np.log(2 * np.pi)
        log[:, k] = -0.5 * (standard**2).sum(0) - norm
    return log


def draw_normal(
    component: NDArray[np.int64], mean: Floats, root: NDArray[np.floating], rng: np.random.Generator
) -> Floats:
    """Draw a row for each of n chosen components, shape (n, d); ``mean`` and ``root`` as in `log_normal`."""
    noise = rng.standard_normal((len(component), mean.shape[1]))
    return mean[component] + np.einsum("nij,nj->ni", root[component], noise)


def draw_category(share: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a category for each of n rows, given the probabilities of each row, shape (n, k)."""
    ends = np.cumsum(share, axis=1)
    # The last cumulative sum may not be exactly 1 because of rounding.
    return (rng.random((len(share), 1)) > ends[:, :-1]).sum(axis=1)
