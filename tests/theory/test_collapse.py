"""The exact laws of toy chains, held to chains written down plainly."""

import numpy as np
import pytest
from scipy.stats import binom

from veriloop.theory.collapse import (
    Refit,
    best_of_round,
    chosen_share,
    course_of_share,
    expected_deviation,
    expected_diversity,
    independent,
    pooled_moments,
)

CHAINS, N, ROUNDS, WIDTH = 8_000, 8, 5, 0.3


def plain(pool, kernels, rng):
    """Means and variances of the models of many chains, shape (rounds + 1, chains) each."""
    data, models = [rng.standard_normal((CHAINS, N))], []
    for k in range(ROUNDS + 1):
        training = data[-1]
        if pool == "accumulate":
            training = np.concatenate(data, axis=1)
        if pool == "mix" and k:
            training = np.concatenate([data[0], data[-1]], axis=1)
        if pool == "fresh" and k:
            training = np.concatenate([rng.standard_normal((CHAINS, 4)), data[-1]], axis=1)
        if pool == "subsample":
            everything = np.concatenate(data, axis=1)
            rows = np.argsort(rng.random(everything.shape), axis=1)[:, :N]
            training = np.take_along_axis(everything, rows, axis=1)
        mean = training.mean(axis=1)
        variance = training.var(axis=1) + WIDTH**2 if kernels else training.var(axis=1, ddof=1)
        models.append((mean, variance))
        noise = rng.standard_normal((CHAINS, N))
        if kernels:
            rows = rng.integers(training.shape[1], size=(CHAINS, N))
            data.append(np.take_along_axis(training, rows, axis=1) + WIDTH * noise)
        else:
            data.append(mean[:, None] + np.sqrt(variance)[:, None] * noise)
    return np.array([m for m, _ in models]), np.array([v for _, v in models])


@pytest.mark.parametrize("kernels", [False, True], ids=["gaussian", "kernels"])
@pytest.mark.parametrize("pool", ["replace", "accumulate", "subsample", "mix", "fresh"])
def test_moments_are_those_of_plain_chains(pool, kernels):
    refit = Refit(extra=WIDTH**2) if kernels else Refit(unbiased=True)
    law = pooled_moments([N] * (ROUNDS + 1), pool, refit, real=4)
    mean, variance = plain(pool, kernels, np.random.default_rng(0))
    for told, found in ((law.mean_error, mean**2), (law.variance, variance)):
        error = found.std(axis=1, ddof=1) / np.sqrt(CHAINS)
        assert (np.abs(found.mean(axis=1) - told) < 4.5 * error).all()


def test_accumulated_labels_of_known_noise_add_up_to_pi_squared_over_six():
    law = pooled_moments([100] * 500, "accumulate", Refit(0, 1))
    assert np.allclose(100 * law.mean_error, np.cumsum(1 / np.arange(1, 501) ** 2))
    replaced = pooled_moments([100] * 10, "replace", Refit(0, 1))
    assert np.allclose(100 * replaced.mean_error, np.arange(1, 11))


def test_deviation_shrinks_by_c4():
    assert expected_deviation([2])[0] == pytest.approx(np.sqrt(2 / np.pi))
    found = np.random.default_rng(0).standard_normal((20_000, 5)).std(axis=1, ddof=1)
    assert abs(found.mean() - expected_deviation([5])[0]) < 4 * found.std() / np.sqrt(20_000)


def test_diversity_falls_by_one_part_in_n():
    course = course_of_share(independent(lambda share: share, 30), 30, 0.3, 4)
    assert np.allclose(course, 0.3), "a fair chain keeps its share on average"
    law = binom.pmf(np.arange(31), 30, 0.3)
    share = np.arange(31) / 30
    assert expected_diversity([30], 0.3)[0] == pytest.approx(law @ (2 * share * (1 - share)))


def test_choice_among_many_is_the_tilt():
    share = np.array([0.1, 0.5])
    assert np.allclose(chosen_share(share, 1.0, 2), share**2 + 2 * share * (1 - share) * np.e / (1 + np.e))
    tilt = share * np.e / (share * np.e + 1 - share)
    assert np.allclose(chosen_share(share, 1.0, 4000), tilt, atol=1e-3)


def test_the_best_of_a_round_are_those_of_plain_rounds():
    n, candidates, advantage = 12, 40, -0.6
    course = course_of_share(best_of_round(n, candidates, advantage), n, 0.3, 3, n0=20)
    rng, chains = np.random.default_rng(1), 12_000
    share = rng.binomial(20, 0.3, chains) / 20
    for told in course[1:]:
        minority = rng.random((chains, candidates)) < share[:, None]
        score = rng.standard_normal(minority.shape) + advantage * minority
        best = np.argpartition(-score, n - 1, axis=1)[:, :n]
        share = np.take_along_axis(minority, best, axis=1).mean(axis=1)
        assert abs(share.mean() - told) < 4.5 * share.std() / np.sqrt(chains)
