import numpy as np
import pytest

from veriloop.datasets.digits import Digits
from veriloop.errors import ConfigError
from veriloop.testing import check_dataset


def test_keeps_the_contract(check_schema) -> None:
    check_dataset(Digits())
    check_schema(Digits())
    check_schema(Digits(validation=0))


def test_splits_have_the_promised_sizes_and_balance() -> None:
    data = Digits(start=25).load(0)
    assert data.validation is not None
    assert [len(data.start), len(data.train), len(data.validation), len(data.test)] == [25, 1197, 300, 300]
    assert set(np.bincount(data.start.array("label"))) == {2, 3}
    for held_out in (data.validation, data.test):
        assert set(np.bincount(held_out.array("label"))) == {30}
    assert data.duplicates == {}
    assert data.test.array("pixels").max() == Digits.levels == 16
    assert data.conditions is not None
    assert data.conditions.array("label").tolist() == list(range(10))


def test_the_test_split_is_the_same_for_every_seed_and_smaller_ones_are_part_of_it() -> None:
    data = Digits().load(0)
    assert data.test.same_as(Digits(start=100, train=500).load(7).test)
    smaller = Digits(test=100, validation=0).load(0)
    assert smaller.test.same_as(data.test.select(slice(100)))
    assert smaller.validation is not None
    assert len(smaller.validation) == 0
    whole = Digits(test=600, validation=0).load(0)
    assert whole.train.same_as(data.train), "what is held out for whichever purpose is not trained on"
    assert whole.test.select(slice(300)).same_as(data.test)


def test_the_validation_images_do_not_depend_on_how_many_are_tested() -> None:
    one, other = Digits().load(0).validation, Digits(test=50).load(3).validation
    assert one is not None
    assert other is not None
    assert one.same_as(other)


def test_no_image_is_both_trained_on_and_held_out() -> None:
    data = Digits().load(3)
    assert data.validation is not None
    parts = (data.train, data.validation, data.test)
    rows = [{p.tobytes() for p in part.array("pixels")} for part in parts]
    assert not rows[0] & rows[1] | rows[0] & rows[2] | rows[1] & rows[2]


def test_train_caps_and_stays_balanced() -> None:
    data = Digits(start=20, train=100).load(0)
    assert set(np.bincount(data.train.array("label"))) == {10}
    assert data.start.same_as(data.train.select(slice(20)))


def test_a_start_set_larger_than_the_training_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="'start=200', expected at most 100"):
        Digits(start=200, train=100).load(0)


@pytest.mark.parametrize(
    "field",
    [
        {"start": 0},
        {"test": 601},
        {"test": 3},
        {"train": 0},
        {"validation": 601},
        {"validation": 1, "test": 600},
    ],
)
def test_impossible_sizes_are_refused(field: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Digits(**field)


def test_a_start_set_that_cannot_be_filled_is_refused_ahead() -> None:
    for dataset in (
        Digits(start=1197),
        Digits(start=600, train=600),
        Digits(start=1786, validation=0, test=10),
    ):
        dataset.check_ahead(dataset.schema())
    for dataset, most in ((Digits(start=1198), 1197), (Digits(start=601, train=600), 600)):
        with pytest.raises(
            ConfigError, match=rf"larger than the training set: got .*expected at most {most}"
        ):
            dataset.check_ahead(dataset.schema())
    assert len(Digits(start=1197).load(0).start) == 1197
