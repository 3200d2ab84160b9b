"""The posterior over curves, against the same model written as a Gaussian process with dense covariances."""

import math
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp, ndtr
from scipy.stats import multivariate_normal

from veriloop.advise import _curve
from veriloop.advise._curve import DRAWS, draw_curves
from veriloop.advise._families import PRIOR, families

VALUES = np.array([9.0, 6.2, 4.6, 4.1, 3.4, 3.3])
HORIZON = 8


def dense(
    errors: NDArray[np.float64], sizes: list[float], at: list[float]
) -> tuple[dict[str, float], NDArray[np.float64]]:
    """Weights of the families, and the probabilities that the rounds to come measure less than ``at``."""
    last, unit = len(VALUES) - 1, float(np.ptp(VALUES))
    y, k = (VALUES - VALUES[-1]) / unit, np.arange(HORIZON + 1)
    known = np.concatenate([errors, np.full(HORIZON - last, np.median(errors))]) ** 2 / unit**2
    logs, names, means, variances = [], [], [], []
    for family in families(last, HORIZON, sizes):
        endless = family.name in ("drift", "walk")
        noises = list(
            product(
                _curve._NOISES,
                _curve._NOT_COMMON if known.any() else [1.0],
                [0.0] if endless else _curve._PASSED_ON,
                _curve._WALKS if endless else [0.0],
                _curve._SETTLING if endless else [0.0],
            )
        )
        for curve, (noise, share, passed, walk, settling) in product(range(len(family.prior)), noises):
            steps = np.array([sum(i**-settling for i in range(1, t + 1)) for t in k])
            covariance = (
                (family.terms[curve] * family.scales[curve] ** 2) @ family.terms[curve].T
                + noise**2 * passed ** np.abs(k[:, None] - k)
                + share * np.diag(known)
                + walk**2 * np.minimum(steps[:, None], steps) / steps[last]
            )
            own, shared = covariance[: last + 1, : last + 1], covariance[last + 1 :, : last + 1]
            logs.append(multivariate_normal.logpdf(y, cov=own) + math.log(family.prior[curve] / len(noises)))
            names.append(family.name)
            weights = np.linalg.solve(own, shared.T).T
            means.append(weights @ y)
            variances.append(np.diag(covariance)[last + 1 :] - (weights * shared).sum(axis=1))
    share = np.exp(np.array(logs) - logsumexp(logs))
    z = (np.array([at]) - VALUES[-1]).T / unit - np.array(means)[:, None]
    below = np.einsum("g,gah->ah", share, ndtr(z / np.sqrt(np.array(variances))[:, None]))
    of_family = {name: float(share[np.array(names) == name].sum()) for name in dict.fromkeys(names)}
    return of_family, below


@pytest.mark.parametrize(("se", "sizes"), [(0.0, []), (0.3, [50.0 * k for k in range(1, HORIZON + 1)])])
def test_it_is_the_posterior_of_a_gaussian_process(se: float, sizes: list[float]) -> None:
    errors = np.full(len(VALUES), se)
    at = [1.5, 2.5, 2.8, 3.1, 4.0]
    weights, below = dense(errors, sizes, at)
    found = draw_curves(np.arange(len(VALUES)), VALUES, errors, HORIZON, sizes)
    assert found.families == pytest.approx(weights, rel=1e-6)
    assert ("noise_floor" in weights) == bool(sizes)
    # Four standard errors of independent draws.
    share = np.mean(found.measured[:, None] < np.array(at)[:, None], axis=0)
    assert share == pytest.approx(below, abs=4 * math.sqrt(0.25 / DRAWS))


def test_a_long_chain_is_read_in_blocks_and_says_the_same() -> None:
    """Of a line with noise, whose answer is known: the regression over all rounds."""
    k = np.arange(301)
    values = 0.1 * k + np.random.default_rng(2).standard_normal(301)
    found = draw_curves(k, values, np.zeros(301), 310)
    assert found.families["line"] > 0.5
    slope, level = np.polyfit(k, values, 1)
    low, middle, high = np.quantile(found.measured[:, 9], [0.025, 0.5, 0.975])
    assert middle == pytest.approx(level + slope * 310, abs=0.5)
    # Two standard deviations of the noise either side, to within the half that a coarse grid costs.
    assert 2 < high - low < 6


def test_the_noise_floor_needs_a_schedule_that_changes() -> None:
    for sizes in ([100] * 6, [], [100, 103, 99, 101, 101, 101]):
        assert {f.name for f in families(4, 6, sizes)} == set(PRIOR) - {"noise_floor"}
    growing, ended = (
        next(f for f in families(4, 6, sizes) if f.name == "noise_floor")
        for sizes in ([50, 100, 150, 200, 250, 300], [50, 100, 200, 200, 200, 200])
    )
    # The floor of round k is c/n_k, here from 1 in round 1 to 1/4 in the last; a growing one falls to 0.
    floor = np.array([1, 1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6])
    assert growing.terms[0, :, 2] == pytest.approx((floor - 1 / 4) / (3 / 4))
    assert growing.ends[0, 2] == pytest.approx((0 - 1 / 4) / (3 / 4))
    assert ended.ends[0, 2] == 0
    assert "exponential" not in {f.name for f in families(4, 6, [50, 100, 150, 200, 250, 300])}


def test_priors_sum_to_those_of_the_families() -> None:
    for family in families(5, 8, [10, 20, 30, 40, 50, 60, 70, 80]):
        assert family.prior.sum() == pytest.approx(PRIOR[family.name])
        assert family.terms.shape == (len(family.prior), 9, 4)
        # Where the last round is, the change is over; there all of it is level.
        assert family.terms[:, 5, 1] == pytest.approx(np.zeros(len(family.prior)), abs=1e-9)
