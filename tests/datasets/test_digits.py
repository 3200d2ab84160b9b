import numpy as np
import pytest
from pydantic import ValidationError

from veriloop.datasets.digits import Digits
from veriloop.errors import ConfigError
from veriloop.testing import check_dataset


def test_keeps_the_contract() -> None:
    check_dataset(Digits())


def test_splits_have_the_promised_sizes_and_balance() -> None:
    data = Digits(start=25, test=600).load(0)
    assert (len(data.start), len(data.train), len(data.test)) == (25, 1197, 600)
    assert set(np.bincount(data.start.array("label"))) == {2, 3}
    assert set(np.bincount(data.test.array("label"))) == {60}
    assert data.test.array("pixels").max() == Digits.levels == 16
    assert data.conditions is not None
    assert data.conditions.array("label").tolist() == list(range(10))


def test_the_test_split_is_the_same_for_every_seed_and_smaller_ones_are_part_of_it() -> None:
    data = Digits().load(0)
    assert data.test.same_as(Digits(start=100, train=500).load(7).test)
    assert Digits(test=100).load(0).test.same_as(data.test.select(slice(100)))


def test_no_image_is_both_trained_on_and_held_out() -> None:
    data = Digits().load(3)
    rows = [{p.tobytes() for p in part.array("pixels")} for part in (data.train, data.test)]
    assert not rows[0] & rows[1]


def test_train_caps_and_stays_balanced() -> None:
    data = Digits(start=20, train=100).load(0)
    assert set(np.bincount(data.train.array("label"))) == {10}
    assert data.start.same_as(data.train.select(slice(20)))


def test_a_start_set_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="'start=200', expected at most 100"):
        Digits(start=200, train=100).load(0)


@pytest.mark.parametrize("field", [{"start": 0}, {"test": 601}, {"test": 3}, {"train": 0}])
def test_impossible_sizes_are_refused(field: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Digits(**field)
