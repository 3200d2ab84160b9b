import math

import numpy as np
import pytest
from scipy import stats

from veriloop.metrics.standard_errors import (
    bootstrapped_mean,
    jackknife_blocks,
    of_jackknife,
    of_mean,
    of_stratified_mean,
)

VALUES = np.random.default_rng(0).standard_normal(60)


def test_of_mean_is_the_textbook_one() -> None:
    assert of_mean(VALUES) == pytest.approx(VALUES.std(ddof=1) / math.sqrt(60))
    assert math.isnan(of_mean(VALUES[:1]))
    assert math.isnan(of_mean(VALUES[:0]))


def test_the_bootstrap_interval_is_that_of_scipy() -> None:
    skewed = np.exp(VALUES)
    ours = bootstrapped_mean(skewed, np.random.default_rng(1))
    reference = stats.bootstrap(
        (skewed,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    assert (ours.value, ours.se) == (skewed.mean(), of_mean(skewed))
    assert ours.interval is not None
    # An end of 2,000 resamples varies by 0.06 standard errors in a normal tail, more in this long one.
    assert ours.interval == pytest.approx(tuple(reference), abs=0.4 * ours.se)
    assert ours.interval[1] - ours.value > ours.value - ours.interval[0], "it follows the skew"


def test_the_bootstrap_interval_covers_the_truth() -> None:
    rng, tries = np.random.default_rng(3), 400
    intervals = [bootstrapped_mean(rng.random(100), rng).interval for _ in range(tries)]
    covered = np.mean([i is not None and i[0] <= 0.5 <= i[1] for i in intervals])
    assert abs(covered - 0.95) < 4 * math.sqrt(0.95 * 0.05 / tries)


def test_one_value_has_no_interval() -> None:
    alone = bootstrapped_mean(VALUES[:1], np.random.default_rng(0))
    assert alone.value == VALUES[0]
    assert alone.interval is None


def test_strata_take_the_spread_between_them_out() -> None:
    stratum = np.arange(60) % 3
    shifted = VALUES + 100.0 * stratum
    expected = np.sqrt(sum(20 * VALUES[stratum == c].var(ddof=1) for c in range(3))) / 60
    assert of_stratified_mean(shifted, stratum) == pytest.approx(expected)
    assert of_mean(shifted) > 10 * expected


def test_a_stratum_of_one_falls_back_to_no_strata() -> None:
    stratum = np.array([1] + [0] * 59)
    assert of_stratified_mean(VALUES, stratum) == of_mean(VALUES)
    assert math.isnan(of_stratified_mean(VALUES[:0], stratum[:0]))


def test_blocks_are_equal_and_share_the_strata() -> None:
    stratum = np.arange(200) % 10
    block = jackknife_blocks(stratum, 20, np.random.default_rng(0))
    assert np.bincount(block).tolist() == [10] * 20
    for c in range(10):
        assert np.bincount(block[stratum == c], minlength=20).tolist() == [1] * 20


def test_the_jackknife_of_a_mean_is_the_standard_error_of_the_block_means() -> None:
    left_out = np.array([np.delete(VALUES, i).mean() for i in range(60)])
    assert of_jackknife(left_out) == pytest.approx(of_mean(VALUES))
