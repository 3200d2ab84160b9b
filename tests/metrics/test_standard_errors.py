import math

import numpy as np
import pytest

from veriloop.metrics.standard_errors import jackknife_blocks, of_jackknife, of_mean, of_stratified_mean

VALUES = np.random.default_rng(0).standard_normal(60)


def test_of_mean_is_the_textbook_one() -> None:
    assert of_mean(VALUES) == pytest.approx(VALUES.std(ddof=1) / math.sqrt(60))
    assert math.isnan(of_mean(VALUES[:1]))
    assert math.isnan(of_mean(VALUES[:0]))


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
