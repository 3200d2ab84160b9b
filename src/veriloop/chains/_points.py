"""Chains of Gaussians, and of kernel estimates of one number.

A Gaussian depends on its training set only through size, mean and scatter, and those of n samples of a
Gaussian are drawn directly: a normal and a chi-square number, for any n. If a policy draws among old samples,
and for kernels, the samples themselves are held.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets.points import Mixture
from ..learners.gaussian import Gaussian
from ..learners.kde import KDE
from ..rules.policy import Accumulate, AccumulateSubsample, DataPolicy, Fresh, Mix, Replace

Floats = NDArray[np.float64]


class Summary(NamedTuple):
    """What a Gaussian's fit uses of a training set, for many chains: shapes (chains,) except the size."""

    size: int
    mean: Floats
    scatter: Floats

    def and_(self, other: "Summary") -> "Summary":
        """Return the summary of both sets together."""
        size, apart = self.size + other.size, other.mean - self.mean
        mean = self.mean + apart * other.size / size
        between = apart**2 * self.size * other.size / size
        return Summary(size, mean, self.scatter + other.scatter + between)


def drawn(size: int, mean: Floats, variance: Floats, rng: np.random.Generator) -> Summary:
    """Draw the summary of ``size`` samples of each chain's Gaussian."""
    middle = mean + np.sqrt(variance / size) * rng.standard_normal(len(mean))
    return Summary(size, middle, variance * rng.chisquare(size - 1, len(mean)) if size > 1 else 0 * variance)


def why_not(learner: Gaussian | KDE, dataset: Mixture, policy: DataPolicy, n: list[int]) -> str | None:
    """Return why these chains cannot be simulated here, in words; None if they can."""
    if dataset.centers.shape != (1, 1) or dataset.label != "hidden":
        return "a mixture of more than one component, or in more than one dimension"
    known = (Replace, Accumulate, AccumulateSubsample, Mix, Fresh)
    if not isinstance(policy, known):
        return f"policy {policy.kind!r}"
    if isinstance(policy, Mix) and any(_mixed_in(policy, size) != dataset.start for size in n):
        return "a policy mix that does not take the start set just once"
    if isinstance(learner, KDE) and isinstance(policy, Mix | Fresh):
        return f"kernels with policy {policy.kind!r}"
    return None


def _mixed_in(policy: Mix | Fresh, kept: int) -> int:
    return round(kept * policy.real_share / (1 - policy.real_share))


def courses(
    learner: Gaussian | KDE,
    dataset: Mixture,
    policy: DataPolicy,
    n: list[int],
    chains: int,
    rng: np.random.Generator,
) -> dict[str, Floats]:
    """Return quantities of models 0, 1, ..., each of shape (chains, rounds + 1).

    ``mean_error`` is the squared error of the mean, ``covariance_trace`` the variance, ``deviation`` its
    root, and ``wasserstein`` the squared Wasserstein-2 distance from the truth, which is exact for Gaussians.
    """
    in_summary = isinstance(learner, Gaussian) and not isinstance(policy, AccumulateSubsample)
    models = _summaries if in_summary else _samples
    found = list(models(learner, dataset, policy, n, chains, rng))
    mean = np.stack([m for m, _ in found], axis=1) - dataset.centers[0, 0]
    variance = np.stack([v for _, v in found], axis=1)
    deviation = np.sqrt(variance)
    return {
        "mean_error": mean**2,
        "covariance_trace": variance,
        "deviation": deviation,
        "wasserstein": mean**2 + (deviation - dataset.spread) ** 2,
    }


Model = tuple[Floats, Floats]


def _summaries(
    learner: Gaussian | KDE,
    dataset: Mixture,
    policy: DataPolicy,
    n: list[int],
    chains: int,
    rng: np.random.Generator,
) -> Iterator[Model]:
    """Return mean and variance of each model, by summaries."""
    assert isinstance(learner, Gaussian)
    truth = np.full(chains, dataset.centers[0, 0]), np.full(chains, dataset.spread**2)
    start = training = drawn(dataset.start, *truth, rng)
    for size in [*n, 0]:
        mean, variance = training.mean, training.scatter / (training.size - learner.ddof)
        yield mean, variance
        if not size:
            return
        kept = drawn(size, mean, learner.scale * variance, rng)
        if isinstance(policy, Accumulate):
            training = training.and_(kept)
        elif isinstance(policy, Mix):
            training = kept.and_(start)
        elif isinstance(policy, Fresh) and (new := _mixed_in(policy, size)):
            training = kept.and_(drawn(new, *truth, rng))
        else:
            training = kept


def _samples(
    learner: Gaussian | KDE,
    dataset: Mixture,
    policy: DataPolicy,
    n: list[int],
    chains: int,
    rng: np.random.Generator,
) -> Iterator[Model]:
    """Return mean and variance of each model, by the samples themselves."""
    pool = training = dataset.centers[0, 0] + dataset.spread * rng.standard_normal((chains, dataset.start))
    for size in [*n, 0]:
        mean = training.mean(axis=1)
        width = np.zeros(chains) if isinstance(learner, Gaussian) else _width(learner, training)
        ddof = learner.ddof if isinstance(learner, Gaussian) else 0
        variance = training.var(axis=1, ddof=ddof) + width**2
        yield mean, variance
        if not size:
            return
        noise = rng.standard_normal((chains, size))
        if isinstance(learner, Gaussian):
            kept = mean[:, None] + np.sqrt(learner.scale * variance)[:, None] * noise
        else:
            chosen = rng.integers(training.shape[1], size=(chains, size))
            kept = np.take_along_axis(training, chosen, axis=1) + width[:, None] * noise
        if isinstance(policy, Replace):
            training = kept
            continue
        pool = np.concatenate([pool, kept], axis=1)
        training = pool
        if isinstance(policy, AccumulateSubsample) and (few := policy.size or size) < pool.shape[1]:
            rows = rng.random(pool.shape).argpartition(few, axis=1)[:, :few]
            training = np.take_along_axis(pool, rows, axis=1)


def _width(learner: KDE, training: Floats) -> Floats:
    scale, size = np.sqrt(learner.scale), training.shape[1]
    if not isinstance(learner.bandwidth, str):
        return np.full(len(training), scale * learner.bandwidth)
    share = size if learner.bandwidth == "scott" else size * 3 / 4
    return scale * training.std(axis=1, ddof=1) * share ** (-1 / 5)
