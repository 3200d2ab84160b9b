import math

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance

from veriloop.datasets.base import RealData
from veriloop.metrics.base import Evaluation
from veriloop.metrics.frechet import Frechet, frechet_distance
from veriloop.testing import check_metric

ROOT = np.array([[1.0, 0.0, 0.0], [0.5, 2.0, 0.0], [-1.0, 0.3, 0.5]])
ONE = np.zeros(500, np.int64)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_keeps_the_contract(like_real: Evaluation) -> None:
    check_metric(Frechet(), like_real)


def test_equals_the_distance_of_torchmetrics_on_the_same_features() -> None:
    real, made = rng(0).standard_normal((300, 8)), rng(1).standard_normal((200, 8)) @ np.diag(range(1, 9)) + 1
    reference = FrechetInceptionDistance(feature=_Flat(), normalize=True, input_img_size=(8, 1, 1))
    reference.set_dtype(torch.float64)
    for points, is_real in ((real, True), (made, False)):
        reference.update(torch.from_numpy(points).reshape(-1, 8, 1, 1), real=is_real)
    ours = frechet_distance(real, made, np.zeros(200, np.int64)).value
    assert ours == pytest.approx(float(reference.compute()), rel=1e-4)


class _Flat(nn.Module):
    num_features = 8

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)


def test_converges_to_the_formula_for_known_gaussians() -> None:
    real, made = rng(0).standard_normal((20_000, 3)), rng(1).standard_normal((20_000, 3)) @ ROOT.T + 1
    covariance = ROOT @ ROOT.T
    truth = 3 + np.trace(np.eye(3) + covariance - 2 * np.real(linalg.sqrtm(covariance)))
    found = frechet_distance(real, made, np.zeros(20_000, np.int64))
    assert abs(found.value - truth) < 5 * found.se


@pytest.mark.parametrize("strata", [1, 5])
def test_the_standard_error_is_the_spread_over_repeated_draws(strata: int) -> None:
    real = rng(99).standard_normal((600, 3))
    stratum = np.arange(500) % strata
    centres = 3 * rng(98).standard_normal((strata, 3))
    draws = [
        frechet_distance(real, rng(i).standard_normal((500, 3)) @ ROOT.T + 1 + centres[stratum], stratum)
        for i in range(200)
    ]
    spread = np.std([d.value for d in draws], ddof=1)
    # A standard deviation from 200 draws is itself known to 5 %.
    assert np.mean([d.se for d in draws]) == pytest.approx(spread, rel=0.2)


def test_no_distance_between_equal_sets() -> None:
    points = rng().standard_normal((500, 4))
    assert frechet_distance(points, points, ONE).value == pytest.approx(0, abs=1e-10)


def test_a_set_without_spread_is_its_mean_away_plus_the_spread_of_the_other() -> None:
    real, made = rng().standard_normal((500, 4)), np.full((500, 4), 2.0)
    found = frechet_distance(real, made, ONE)
    expected = ((real.mean(0) - 2) ** 2).sum() + np.trace(np.cov(real, rowvar=False))
    assert found.value == pytest.approx(expected)
    assert found.se == pytest.approx(0)
    assert frechet_distance(made, made, ONE).value == 0


def test_fewer_points_than_features_are_finite() -> None:
    found = frechet_distance(
        rng(0).standard_normal((20, 64)), rng(1).standard_normal((10, 64)), np.zeros(10, np.int64)
    )
    assert found.value > 0
    assert math.isfinite(found.se)


@pytest.mark.parametrize(("n", "m"), [(0, 5), (5, 1), (1, 0)])
def test_fewer_than_two_points_have_no_distance(n: int, m: int) -> None:
    found = frechet_distance(np.ones((n, 3)), np.ones((m, 3)), np.zeros(m, np.int64))
    assert math.isnan(found.value)
    assert math.isnan(found.se)


def test_orders_good_poor_and_noise(like_real: Evaluation, collapsed: Evaluation, noise: Evaluation) -> None:
    good, poor, worst = (Frechet().measure(e, rng())["frechet"].value for e in (like_real, collapsed, noise))
    assert good < 0.1 * poor
    assert good < 0.1 * worst


def test_brings_a_distance_of_real_to_real_near_zero_as_samples_grow(digits: RealData) -> None:
    few, many = (
        frechet_distance(np.asarray(a), np.asarray(b), np.zeros(len(b), np.int64)).value
        for a, b in (np.split(rng(0).standard_normal((n, 5)), 2) for n in (100, 10_000))
    )
    assert many < 0.1 * few
