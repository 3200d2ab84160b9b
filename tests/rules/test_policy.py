import numpy as np
import pytest

from veriloop.errors import ConfigError
from veriloop.rules.policy import Accumulate, AccumulateSubsample, Fresh, Mix, Replace
from veriloop.samples import Samples
from veriloop.testing import check_policy

START = Samples(x=np.arange(7.0))
KEPT = [Samples(x=100 + np.arange(20.0)), Samples(x=200 + np.arange(30.0))]
POLICIES = [
    Replace(),
    Accumulate(),
    AccumulateSubsample(),
    AccumulateSubsample(size=9),
    Mix(real_share=0.4),
    Fresh(real_share=0.2),
]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_contract(policy):
    check_policy(policy, START, KEPT)


def _sizes(policy):
    x = policy.training_set(START, KEPT, np.random.default_rng(0)).array("x")
    return [int(np.sum((x >= low) & (x < low + 100))) for low in (0, 100, 200)]


def test_replace_is_this_round_alone():
    assert _sizes(Replace()) == [0, 0, 30]


def test_accumulate_is_everything():
    assert _sizes(Accumulate()) == [7, 20, 30]


def test_subsample_has_the_asked_size_and_no_repeats():
    drawn = AccumulateSubsample(size=25).training_set(START, KEPT, np.random.default_rng(0)).array("x")
    assert len(drawn) == len(set(drawn.tolist())) == 25
    assert sum(_sizes(AccumulateSubsample())) == 30
    assert sum(_sizes(AccumulateSubsample(size=1000))) == 57


def test_mix_without_real_samples_is_refused():
    nothing = START.select(slice(0))
    with pytest.raises(ConfigError, match="start above 0"):
        Mix().check_data(nothing)


def test_mix_has_the_asked_share_and_repeats_evenly():
    x = Mix(real_share=0.4).training_set(START, KEPT, np.random.default_rng(0)).array("x")
    real = x[x < 100]
    assert len(real) == 20  # 20 / (20 + 30) = 0.4
    times = np.unique(real, return_counts=True)[1]
    assert times.min() >= 2
    assert times.max() <= 3


def test_fresh_takes_the_next_real_samples_each_round():
    real, policy = Samples(x=np.arange(12.0)), Fresh(real_share=0.2)
    drawn = [policy.training_set(real, [KEPT[0]] * k, np.random.default_rng(0)).array("x") for k in (1, 2, 3)]
    assert [x[x < 100].tolist() for x in drawn] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 0, 1, 2]]


def test_fresh_without_new_samples_is_refused():
    with pytest.raises(ConfigError, match="new real samples"):
        Fresh().check_data(START.select(slice(0)))
