"""The split for decisions: by content, equal for all seeds, and measured apart."""

from dataclasses import replace
from typing import Annotated

import numpy as np
import pytest
from pydantic import Field

from veriloop.config import plan_from
from veriloop.datasets.base import Dataset, RealData
from veriloop.errors import DataError
from veriloop.events import HeldOutSeen
from veriloop.loop import run
from veriloop.loop.data import half_of, held_out_seen, load_data
from veriloop.rng import Address, Stage
from veriloop.samples import Samples, concat
from veriloop.schema import Extra, Id, Image, Label, Number, Prompt, Schema
from veriloop.testing.tiny import TinyData, TinyLearner, TinyMetric

IMAGES = Schema({"pixels": Image(height=2, width=2, levels=255), "label": Label(classes=3)})
PROMPTS = Schema({"id": Id(), "question": Prompt(), "source": Extra()})


def images(n: int, copies: int = 1) -> Samples:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(n, 2, 2), dtype=np.uint8)
    return Samples(pixels=np.tile(pixels, (copies, 1, 1)), label=np.tile(np.arange(n) % 3, copies))


def rows(samples: Samples) -> set[bytes]:
    return {row.tobytes() for row in samples.array("pixels")}


def test_half_of_each_class_is_taken():
    samples = images(300)
    chosen = half_of(samples, None, IMAGES)
    assert np.bincount(samples.array("label")[chosen]).tolist() == [50, 50, 50]


def test_equal_images_are_on_one_side_whatever_their_label():
    samples = images(100, copies=3)
    samples = samples.with_columns(label=np.arange(300) % 3)
    chosen = half_of(samples, None, IMAGES)
    assert 140 <= np.count_nonzero(chosen) <= 160
    assert not rows(samples.select(chosen)) & rows(samples.select(~chosen))


def test_the_side_of_a_sample_does_not_depend_on_the_order():
    samples = images(60)
    order = np.random.default_rng(1).permutation(60)
    assert (half_of(samples, None, IMAGES)[order] == half_of(samples.select(order), None, IMAGES)).all()


def test_equal_prompts_are_on_one_side_whatever_their_id():
    questions = [f"question {i % 20}" for i in range(100)]
    prompts = Samples(id=[str(i) for i in range(100)], question=questions, source=["here", "there"] * 50)
    chosen = half_of(prompts, prompts, PROMPTS)
    assert np.count_nonzero(chosen) == 50
    assert not set(prompts.select(chosen).texts("question")) & set(prompts.select(~chosen).texts("question"))


def test_samples_that_are_all_equal_are_not_divided():
    same = Samples(pixels=np.zeros((9, 2, 2), np.uint8), label=np.zeros(9, int))
    assert not half_of(same, None, IMAGES).any()


class Given(Dataset, frozen=True):
    """Tiny data with a validation split of ``n`` samples."""

    validation: Annotated[int, Field(ge=0)] = 0

    def load(self, seed: int) -> RealData:
        data = TinyData().load(seed)
        return RealData(
            start=data.start,
            train=data.train,
            test=data.test,
            conditions=data.conditions,
            validation=data.train.select(slice(self.validation)),
        )


def test_a_split_of_the_data_themselves_is_left_alone():
    data = load_data(Given(validation=7), 0)
    assert data.validation is not None
    assert len(data.validation) == 7
    assert data.test.same_as(TinyData().load(0).test)


def test_the_halves_are_those_of_every_seed():
    class Fixed(TinyData, frozen=True):
        def load(self, seed: int) -> RealData:
            return replace(super().load(3), validation=None)

    first, second = load_data(Fixed(), 1).validation, load_data(Fixed(), 2).validation
    assert first is not None
    assert second is not None
    assert first.same_as(second)
    whole = concat([first, load_data(Fixed(), 1).test])
    assert sorted(whole.array("x")[:, 0]) == sorted(TinyData().load(3).test.array("x")[:, 0])


def test_both_splits_are_measured_with_samples_of_their_own(tiny_plan, tmp_path):
    folder = run(tiny_plan(), tmp_path / "run")
    data = load_data(TinyData(), 1)
    assert data.validation is not None
    for record in folder.records():
        assert list(record.metrics) == list(record.validation) == ["gap"]
        assert record.metrics != record.validation
        assert record.decisive == record.validation
    start = TinyLearner().fit(data.start, None, Address(1).at(Stage.FIT).rng())
    labels = Samples(label=np.arange(300) % 3)
    record = folder.records()[0]
    for stage, real, measured in (
        (Stage.EVALUATE, data.test, record.metrics),
        (Stage.VALIDATE, data.validation, record.validation),
    ):
        x = start.sample(300, Address(1).at(stage).rng(), labels).array("x")
        gap = np.linalg.norm(x.mean(axis=0) - real.array("x").mean(axis=0))
        assert measured["gap"].value == pytest.approx(gap)


def test_without_a_split_nothing_is_decided_by_one(tiny_config, tmp_path):
    plan = plan_from({**tiny_config, "dataset": f"{__name__}:Given", "metrics": [TinyMetric().model_dump()]})
    for record in run(plan, tmp_path / "run").records():
        assert record.validation == {}
        assert record.decisive == record.metrics


def split(train: Samples, test: Samples, validation: Samples | None = None) -> RealData:
    return RealData(start=train, train=train, test=test, validation=validation)


def test_held_out_rows_that_are_training_rows_are_counted_by_what_tells_rows_apart():
    some = images(100)
    first, second = slice(60), slice(40, 100)
    relabelled = some.select(second).with_columns(label=np.zeros(60, np.int64))
    assert held_out_seen(split(some.select(first), relabelled), IMAGES, "Mine") == {"test": 20}
    validated = split(some.select(first), some.select(slice(60, 70)), validation=relabelled)
    assert held_out_seen(validated, IMAGES, "Mine") == {"validation": 20}
    assert held_out_seen(split(some.select(first), some.select(slice(60, 100))), IMAGES, "Mine") == {}


def test_a_split_of_training_prompts_is_refused_whatever_else_differs():
    train = Samples(id=["a", "b"], question=["one", "two"], source=["here", "here"])
    test = Samples(id=["c", "d"], question=["two", "one"], source=["there", "there"])
    with pytest.raises(
        DataError, match=r"^Mine: test contains only training rows \(by question\): got .2 of 2"
    ):
        held_out_seen(split(train, test), PROMPTS, "Mine")


@pytest.mark.parametrize("kind", [np.int64, np.float64])
def test_a_few_whole_numbers_are_equal_by_right_and_fractions_are_not(kind):
    schema = Schema({"label": Label(classes=3), "y": Number()})
    some = Samples(label=np.arange(6) % 3, y=np.arange(6).astype(kind))
    if kind is np.int64:
        assert held_out_seen(split(some, some), schema, "Mine") == {}
    else:
        with pytest.raises(DataError):
            held_out_seen(split(some, some), schema, "Mine")


class Leaky(TinyData, frozen=True):
    """Seven test rows are training rows as well."""

    def load(self, seed: int) -> RealData:
        data = super().load(seed)
        return replace(data, test=concat([data.test, data.train.select(slice(7))]))


def test_a_run_says_how_many_held_out_rows_it_trains_on(tmp_path):
    plan = plan_from(
        {
            "dataset": Leaky(),
            "learner": TinyLearner(),
            "schedule": {"kind": "constant", "n": 12},
            "rounds": 1,
            "arms": ["unverified"],
        }
    )
    folder = run(plan, tmp_path / "run")
    told = [event.seen for event in folder.events()[0] if isinstance(event, HeldOutSeen)]
    assert told == [{"test": 7}]
