import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from veriloop.advise.intervals import wilson
from veriloop.advise.preference import accuracy_by, preference

N = 2_000


def judged(weight: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores that follow quality, and length with ``weight``; good texts are longer."""
    rng = np.random.default_rng(seed)
    good = rng.random(N) < 0.5
    length = rng.poisson(np.where(good, 80, 40)).astype(float)
    noise = rng.standard_normal(N)
    return 2 * good + noise + weight * (length - np.where(good, 80, 40)) / 8, length, good


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    found: Any = spearmanr(x, y)
    return float(found.statistic)


def test_a_judge_of_quality_does_not_prefer_length_though_good_texts_are_longer() -> None:
    score, length, good = judged(0.0)
    assert _spearman(score, length) > 0.5
    found = preference(score, length, good)
    assert not found.is_clear
    assert abs(found.correlation.value) < 4 / math.sqrt(N)


@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_a_judge_of_length_is_found_out(weight: float) -> None:
    found = preference(*judged(weight))
    assert found.is_clear
    assert np.sign(found.correlation.value) == weight


def test_the_interval_covers_zero_as_often_as_it_says() -> None:
    clear = np.mean([preference(*judged(0.0, seed)).is_clear for seed in range(300)])
    assert abs(clear - 0.05) < 4 * math.sqrt(0.05 * 0.95 / 300)


def test_within_one_class_it_is_spearmans() -> None:
    score, length, _ = judged(0.5)
    found = preference(score, length, np.ones(N, bool))
    assert found.correlation.value == pytest.approx(_spearman(score, length))


def test_what_cannot_be_said() -> None:
    one = np.ones(5)
    assert math.isnan(preference(one, np.arange(5.0), one > 0).correlation.value)
    assert preference(np.full(5, math.nan), np.arange(5.0), one > 0).samples == 0


def test_accuracy_by_place() -> None:
    place = np.array(["first", "first", "second", "second", "second"])
    right = np.array([True, False, True, True, False])
    judged = np.array([True, True, True, True, False])
    assert accuracy_by(place, right, judged) == {"first": wilson(1, 2), "second": wilson(2, 2)}
