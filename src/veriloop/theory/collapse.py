"""What endless retraining does to toy models: moments of pooled data, and chains of two categories.

Nothing here is an approximation in the sample size. Units are those of the truth: its mean is 0 and its
variance 1, unless a function says otherwise.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np

from ..laws import binomial, log_gamma, normal_cdf, normal_density
from .validation import Floats

Pool = Literal["replace", "accumulate", "subsample", "mix", "fresh"]


class Moments(NamedTuple):
    """Moments of models 0, 1, ..., each of shape (rounds + 1,).

    Attributes:
        mean_error: ``E (mean of the model)^2``, the squared error of its mean.
        variance: ``E`` of the model's variance.
    """

    mean_error: Floats
    variance: Floats


class Refit(NamedTuple):
    """The variance of the model of a training set: ``slope`` times its biased variance, plus ``extra``.

    Attributes:
        slope: Factor of the biased variance (the sum of squares over n).
        extra: Added variance: a kernel's squared bandwidth, or a known noise.
        unbiased: Whether the slope is multiplied by n / (n - 1), where n is the size of the training set.
    """

    slope: float = 1.0
    extra: float = 0.0
    unbiased: bool = False


def pooled_moments(sizes: Sequence[int], pool: Pool, refit: Refit, real: int | None = None) -> Moments:
    """Return the error of the mean and the variance, by a recursion over second moments of pairs of samples.

    Model k is fitted to a training set from rounds 0 (real, from the truth) to k. Given model k, samples of
    round k + 1 are independent with its mean and variance. With ``A_r = E y^2`` for a sample of round
    r and ``C_rs = E y y'`` for two different ones of rounds r and s, both moments of any training set are
    linear in A and C, and so are those of the next round: ``A_(k+1) = E m_k^2 + E s_k``, ``C_(k+1,k+1) = E
    m_k^2`` and ``C_(r,k+1) = E y_r m_k``.

    Args:
        sizes: Number of samples in rounds 0, 1, ...
        pool: Training set: the last round; all rounds; as many as the last round, drawn from all without
            replacement; the last round and the start set; or the last round and ``real`` new real samples.
        refit: Variance of a fitted model.
        real: Number of real samples that ``fresh`` adds in each round.
    """
    rounds, n = len(sizes), np.array(sizes, float)
    square, pair = np.zeros(rounds), np.zeros((rounds, rounds))
    square[0] = 1.0
    mean_error, variance = np.zeros(rounds), np.zeros(rounds)
    for k in range(rounds):
        weight, new = _weights(pool, k, real or 0)
        with_all = pair[: k + 1, : k + 1] @ (n[: k + 1] * weight)
        # A sample is paired with itself once; the pairs within its round do not count that pair again.
        toward = with_all + weight * (square[: k + 1] - np.diag(pair)[: k + 1])
        total = float(n[: k + 1] @ weight + new)
        mean = float(n[: k + 1] @ (weight * toward)) / total**2 + new / total**2
        squares = (float(n[: k + 1] @ (weight * square[: k + 1])) + new) / total
        trained_on = total
        if pool == "subsample" and n[k] < total:
            pairs = (total**2 * mean - total * squares) / (total * (total - 1))
            trained_on = n[k]
            mean = squares / trained_on + (1 - 1 / trained_on) * pairs
        slope = refit.slope * (trained_on / (trained_on - 1) if refit.unbiased else 1)
        mean_error[k], variance[k] = mean, slope * (squares - mean) + refit.extra
        if k + 1 < rounds:
            square[k + 1], pair[k + 1, k + 1] = mean + variance[k], mean
            pair[: k + 1, k + 1] = pair[k + 1, : k + 1] = toward / total
    return Moments(mean_error, variance)


def _weights(pool: Pool, k: int, real: int) -> tuple[Floats, int]:
    """Return how often samples of rounds 0 to k are in training set k, and the number of new real ones."""
    weight = np.zeros(k + 1)
    if pool in ("accumulate", "subsample"):
        weight[:] = 1
    weight[k] = 1
    if pool == "mix":
        weight[0] = 1
    return weight, real if pool == "fresh" and k > 0 else 0


def expected_deviation(sizes: Sequence[int]) -> Floats:
    """Return the expected standard deviation of Gaussians, each fitted to samples of the one before.

    The square root of the unbiased variance of n samples is ``c4(n)`` on average, with c4 = sqrt(2 / (n - 1))
    Gamma(n / 2) / Gamma((n - 1) / 2), and each round multiplies by it. The result has shape (len(sizes),).
    """
    n = np.array(sizes, float)
    c4 = np.sqrt(2 / (n - 1)) * np.exp(log_gamma(n / 2) - log_gamma((n - 1) / 2))
    return np.cumprod(c4, dtype=np.float64)


def expected_diversity(sizes: Sequence[int], share: float) -> Floats:
    """Return ``E 2 w (1 - w)`` of a share w that each round counts among n samples, shape (len(sizes),).

    Two samples of a round are drawn with replacement from the round before: ``1 - 1 / n`` of it is left.
    """
    left = np.cumprod(1 - 1 / np.array(sizes, float))
    return np.asarray(2 * share * (1 - share) * left, np.float64)


def course_of_share(
    kernel: Callable[[Floats], Floats], n: int, share: float, rounds: int, n0: int | None = None
) -> Floats:
    """Return the expected share of one of two categories, of models 0, 1, ..., shape (rounds + 1,).

    Args:
        kernel: Maps shares of shape (m,) to the law of the next count among n, shape (m, n + 1).
        n: Number of samples kept in each round.
        share: Share in the truth.
        rounds: Number of rounds after the start model.
        n0: Size of the start set; n when None.
    """
    n0 = n if n0 is None else n0
    shares = np.arange(n + 1) / n
    law = binomial(n0, share)
    found = [float(law @ np.arange(n0 + 1)) / n0]
    first, later = kernel(np.arange(n0 + 1) / n0), kernel(shares) if rounds > 1 else None
    for k in range(rounds):
        law = law @ (first if k == 0 or later is None else later)
        found.append(float(law @ shares))
    return np.array(found)


def independent(chance: Callable[[Floats], Floats], n: int) -> Callable[[Floats], Floats]:
    """Return the kernel of n independent kept samples, each in the category with its share's ``chance``."""
    return lambda shares: binomial(n, np.clip(chance(shares), 0, 1))


def chosen_share(share: Floats, advantage: float, k: int) -> Floats:
    """Return the probability that the winner among k candidates is of a category that has ``share``.

    Weights are ``exp(advantage)`` for the category and 1 for the other (Bradley-Terry, Luce). As k grows it
    tends to the tilt ``share e^r / (share e^r + 1 - share)``.
    """
    of_k = np.arange(k + 1)
    wins = of_k * np.exp(advantage) / (of_k * np.exp(advantage) + k - of_k)
    return binomial(k, share) @ wins


@cache
def best_of_round(n: int, candidates: int, advantage: float) -> Callable[[Floats], Floats]:
    """Return the kernel of keeping the n best of ``candidates``, with scores normal plus ``advantage``.

    The kernel integrates over the n-th best score: one candidate has it, n - 1 lie above, the others below.
    Kernels are cached, because one with 200 kept takes seconds.

    Args:
        n: Number of kept candidates.
        candidates: Number of candidates, at least n + 1.
        advantage: Mean score of the category minus that of the other; negative if it is lower.
    """
    t, step = np.linspace(-8 - abs(advantage), 8 + abs(advantage), 1201, retstep=True)
    above, density = normal_cdf(advantage - t), normal_density(t - advantage)
    of_other, other_density = normal_cdf(-t), normal_density(t)
    places = np.arange(n)
    ways = (
        log_gamma(candidates + 1)
        - log_gamma(places + 1)
        - log_gamma(n - places)
        - log_gamma(candidates - n + 1)
    )

    @cache
    def law(share: float) -> Floats:
        """Return the probability of 0 to n kept of the category, shape (n + 1,), for its ``share``."""
        a, b = share * above, (1 - share) * of_other
        rest = (candidates - n) * np.log1p(-np.clip(a + b, 0, 1 - 1e-16))
        with np.errstate(divide="ignore", invalid="ignore"):
            powers = np.where(places[:, None] > 0, places[:, None] * np.log(a), 0.0)
            others = np.where((n - 1 - places)[:, None] > 0, (n - 1 - places)[:, None] * np.log(b), 0.0)
        inside = np.exp(ways[:, None] + powers + others + rest) * step
        counts = np.zeros(n + 1)
        # The n-th best itself is of the category, or of the other.
        counts[1:] += inside @ (share * density)
        counts[:-1] += inside @ ((1 - share) * other_density)
        return counts / counts.sum()

    return lambda shares: np.stack([law(float(share)) for share in shares])
