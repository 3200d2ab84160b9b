"""The suite of data sets, with sets that leak or are not what their schema says."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

from dataclasses import replace

import numpy as np
import pytest

from veriloop.datasets.base import Dataset, RealData
from veriloop.datasets.digits import Digits
from veriloop.datasets.linear import LinearModel
from veriloop.samples import Samples, concat
from veriloop.schema import Image, Label, Schema, Vector
from veriloop.testing import check_dataset
from veriloop.testing.tiny import TinyData


@pytest.mark.parametrize("dataset", [TinyData(), Digits(), LinearModel()], ids=lambda d: type(d).__name__)
def test_our_data_sets_keep_the_contract(dataset):
    check_dataset(dataset)


class Changed(TinyData, frozen=True):
    """The tiny data with some splits replaced."""

    def change(self, data: RealData) -> RealData:
        return data

    def load(self, seed: int) -> RealData:
        data = super().load(seed)
        start = data.train.select(np.random.default_rng(seed).permutation(len(data.train))[:30])
        return self.change(replace(data, start=start))


class Split(Changed, frozen=True):
    """Sound: with a separate validation split."""

    def change(self, data):
        half = len(data.test) // 2
        return replace(
            data, test=data.test.select(slice(half)), validation=data.test.select(slice(half, None))
        )


def test_a_split_for_validation_passes():
    check_dataset(Split())


class TestIsTrain(Changed, frozen=True):
    __test__ = False

    def change(self, data):
        return replace(data, test=data.train)


class OneRowLeaks(Changed, frozen=True):
    def change(self, data):
        return replace(data, test=concat([data.test, data.train.select(slice(7, 8))]))


class ValidationIsTrain(Changed, frozen=True):
    def change(self, data):
        return replace(data, validation=data.train.select(slice(50)))


class ValidationIsTest(Changed, frozen=True):
    def change(self, data):
        return replace(data, validation=data.test.select(slice(1)))


class StartFromTest(Changed, frozen=True):
    def change(self, data):
        return replace(data, start=data.test.select(slice(30)))


class SinglePrecisionTest(Changed, frozen=True):
    def change(self, data):
        return replace(data, test=data.test.with_columns(x=data.test.array("x").astype(np.float32)))


class FewerColumns(Changed, frozen=True):
    def change(self, data):
        return replace(data, test=data.test.only(["x"]))


class EmptyTest(Changed, frozen=True):
    def change(self, data):
        return replace(data, test=data.test.select(slice(0)))


class Arrays(Changed, frozen=True):
    def change(self, data):
        return replace(data, test=data.test.array("x"))


class Fickle(TinyData, frozen=True):
    def load(self, seed):
        return super().load(int(np.random.default_rng().integers(2**31)))


class Stubborn(TinyData, frozen=True):
    def load(self, seed):
        return super().load(0)


class Tuple(TinyData, frozen=True):
    def load(self, seed):
        data = super().load(seed)
        return data.start, data.train, data.test


class Overpromising(TinyData, frozen=True):
    def schema(self):
        return Schema({"x": Vector(p=3), "label": Label(classes=3)})


class TooFewClasses(TinyData, frozen=True):
    def schema(self):
        return Schema({"x": Vector(p=2), "label": Label(classes=2)})


class Unmentioned(TinyData, frozen=True):
    def schema(self):
        return Schema({"x": Vector(p=2)})


class NotGiven(TinyData, frozen=True):
    def schema(self):
        return Schema({"x": Vector(p=2), "label": Label(classes=3, given=False)})


class NoPicture(TinyData, frozen=True):
    def schema(self):
        return Schema({"x": Image(height=1, width=2, levels=1), "label": Label(classes=3)})


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        (TestIsTrain(), "300 samples of test are in train"),
        (OneRowLeaks(), "1 samples of test are in train"),
        (ValidationIsTrain(), "50 samples of validation are in train"),
        (ValidationIsTest(), "1 samples of validation are in test"),
        (StartFromTest(), "the start set is a part of the training set"),
        (SinglePrecisionTest(), "test is unlike train: column 'x' is float32"),
        (FewerColumns(), "test has the columns"),
        (EmptyTest(), "the test split is empty"),
        (Arrays(), "test is ndarray, expected Samples"),
        (Fickle(), "equal seeds must give equal start"),
        (Stubborn(), "other seeds"),
        (Tuple(), "load gave tuple, expected RealData"),
        (Overpromising(), r"'x' does not fit the role vector: shape \(2,\), expected 3 numbers"),
        (TooFewClasses(), "'label' does not fit the role label: 0 to 2, expected 0 to 1"),
        (Unmentioned(), "the schema has the columns .*'x'.*, the data"),
        (NotGiven(), "the schema gives generators nothing"),
        (NoPicture(), "'x' does not fit the role image"),
    ],
    ids=lambda d: type(d).__name__,
)
def test_broken_data_sets_are_caught(dataset, why):
    with pytest.raises(AssertionError, match=why):
        check_dataset(dataset)


class Asked(Dataset, frozen=True):
    """Prompts with answers; one prompt stands on both sides, answered otherwise."""

    twice: bool = True

    def load(self, seed: int) -> RealData:
        order = np.random.default_rng(seed).permutation(8)
        train = Samples(
            id=[str(i) for i in order], prompt=[f"{i}?" for i in order], completion=[f"{i}!" for i in order]
        )
        asked = ["3?" if self.twice else "11?", "12?"]
        test = Samples(id=["11", "12"], prompt=asked, completion=["a", "b"])
        given = ["id", "prompt"]
        return RealData(
            train.select(slice(4)),
            train,
            test,
            conditions=train.only(given),
            test_conditions=test.only(given),
        )


def test_an_equal_prompt_is_a_leak_whatever_its_answer():
    check_dataset(Asked(twice=False))
    with pytest.raises(AssertionError, match=r"1 samples of test are in train as well \(by prompt\)"):
        check_dataset(Asked())
