import subprocess
import sys

import numpy as np
import pytest

from veriloop.rng import Address, Stage, name_key

HERE = Address(5, "verified", 3, Stage.GENERATE, 2)


def test_equal_addresses_give_equal_streams():
    assert np.array_equal(HERE.rng().random(9), HERE.rng().random(9))


@pytest.mark.parametrize(
    "other",
    [
        Address(6, "verified", 3, Stage.GENERATE, 2),
        Address(5, "unverified", 3, Stage.GENERATE, 2),
        Address(5, "verified", 4, Stage.GENERATE, 2),
        Address(5, "verified", 3, Stage.VERIFY, 2),
        Address(5, "verified", 3, Stage.GENERATE, 3),
    ],
)
def test_each_part_of_an_address_counts(other):
    assert not np.array_equal(HERE.rng().random(9), other.rng().random(9))


@pytest.mark.parametrize("seed", [0, 5, 2**32 - 1, 2**32, 20251016 << 40, 2**128 - 1, 2**128, 2**200 + 7])
def test_streams_are_those_of_seed_sequence(seed):
    # The documented rule, by which others can draw the same numbers.
    key = (name_key("verified"), 3, 4, 2**32 - 1)
    expected = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    here = Address(seed, "verified", 3, Stage.GENERATE, 2**32 - 1).rng()
    assert np.array_equal(here.random(9), expected.random(9))
    # A part may split the stream that it is given.
    for ours, theirs in zip(here.spawn(2), expected.spawn(2), strict=True):
        assert np.array_equal(ours.random(9), theirs.random(9))


def test_equal_in_another_process():
    code = (
        "from veriloop.rng import Address, Stage;"
        "print(Address(5, 'verified', 3, Stage.GENERATE, 2).rng().random(9).tobytes().hex())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == HERE.rng().random(9).tobytes().hex()


def test_streams_of_many_addresses_are_uncorrelated():
    draws = np.array([HERE.at(Stage.GENERATE, chunk).rng().standard_normal(500) for chunk in range(200)])
    correlation = np.asarray(np.corrcoef(draws))[np.triu_indices(200, 1)]
    # 19,900 correlations of independent streams, each of standard deviation 1/sqrt(500).
    assert np.abs(correlation).max() < 5.5 / np.sqrt(500)
    assert abs(correlation.std() * np.sqrt(500) - 1) < 0.03
