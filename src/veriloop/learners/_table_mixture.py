"""A mixture over numbers and categories, fitted by expectation and maximisation (EM).

Each component z has a probability, a normal distribution of the numbers, and a distribution of each category;
given z, they are independent. Columns depend on each other only through z.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ._distributions import log_normal
from ._numbers import Floats

Codes = NDArray[np.int64]


class Mixture(NamedTuple):
    """Parameters of k components over d numbers and m categories.

    Attributes:
        weight: Probabilities of the components, shape (k,).
        mean: Means, shape (k, d).
        covariance: Covariances, shape (k, d, d).
        shares: Probabilities of each category's values, shape (k, values) each.
    """

    weight: Floats
    mean: Floats
    covariance: Floats
    shares: tuple[Floats, ...]

    def log_joint(self, numbers: Floats | None, codes: Codes, columns: list[int] | None = None) -> Floats:
        """Return log p(z, row) of each of n rows, shape (n, k).

        Args:
            numbers: Numbers, shape (n, d); None leaves them out.
            codes: Index of each category's value, shape (n, columns).
            columns: Categories that the columns of ``codes`` belong to; None for all.
        """
        with np.errstate(divide="ignore"):
            log = np.repeat(np.log(self.weight)[None], len(codes), axis=0)
            for at, j in enumerate(range(len(self.shares)) if columns is None else columns):
                log += np.log(self.shares[j]).T[codes[:, at]]
        if numbers is not None:
            log += log_normal(numbers, self.mean, np.linalg.cholesky(self.covariance))
        return log


def fitted(
    numbers: Floats,
    codes: Codes,
    sizes: tuple[int, ...],
    components: int,
    rng: np.random.Generator,
    *,
    steps: int,
    floor: float,
) -> Mixture:
    """Fit the mixture with EM, starting from k-means.

    Args:
        numbers: Numbers in standard deviations, shape (n, d).
        codes: Index of each category's value, shape (n, m).
        sizes: Number of values of each category.
        components: Number of components, limited by the number of distinct rows.
        rng: Source of randomness for the start.
        steps: Largest number of EM steps; EM also ends when the likelihood per row gains less than 1e-5 nats.
        floor: Number added to every variance.
    """
    share = _start(numbers, codes, sizes, components, rng)
    before = -np.inf
    while True:
        mixture = _maximised(numbers, codes, sizes, share, floor)
        log = mixture.log_joint(numbers, codes)
        whole = np.asarray(logsumexp(log, axis=1, keepdims=True))
        steps -= 1
        if steps <= 0 or whole.mean() - before < 1e-5:
            return mixture
        before, share = whole.mean(), np.exp(log - whole)


def _start(
    numbers: Floats, codes: Codes, sizes: tuple[int, ...], components: int, rng: np.random.Generator
) -> Floats:
    """Assign each row to one component by k-means over numbers and one-hot categories; shape (n, k)."""
    from sklearn.cluster import KMeans

    one_hot = [np.eye(size)[codes[:, j]] / np.sqrt(2) for j, size in enumerate(sizes)]
    rows = np.concatenate([numbers, *one_hot], axis=1)
    k = min(components, len(np.unique(rows, axis=0)))
    starts: Any = 3  # scikit-learn declares no type for it
    means = KMeans(k, n_init=starts, random_state=int(rng.integers(2**32))).fit(rows)
    return np.eye(k)[means.labels_]


def _maximised(numbers: Floats, codes: Codes, sizes: tuple[int, ...], share: Floats, floor: float) -> Mixture:
    total = share.sum(0) + 1e-9
    mean = share.T @ numbers / total[:, None]
    d = numbers.shape[1]
    covariance = np.empty((len(total), d, d))
    for k in range(len(total)):
        centred = numbers - mean[k]
        covariance[k] = (share[:, k, None] * centred).T @ centred / total[k] + floor * np.eye(d)
    # Half a row of the overall distribution keeps values possible that a small component has not seen.
    shares = []
    for j, size in enumerate(sizes):
        counts = share.T @ np.eye(size)[codes[:, j]]
        overall = np.bincount(codes[:, j], minlength=size) / len(codes)
        shares.append((counts + 0.5 * overall) / (total[:, None] + 0.5))
    return Mixture(total / total.sum(), mean, covariance, tuple(shares))
