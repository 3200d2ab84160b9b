"""What is reported becomes few events, and a training a few numbers."""

import math

import pytest

from veriloop.advance import RowsDone, StepDone
from veriloop.events import Event, RowsProgress, TrainingProgress
from veriloop.loop import hearing
from veriloop.loop.hearing import Hearing
from veriloop.records import Counts, RoundRecord, Trained


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(hearing, "time", clock)
    return clock


def test_a_quick_call_is_not_worth_an_event(clock: Time) -> None:
    said: list[Event] = []
    heard = Hearing(said.append, "verified", 2, "generate", chunk=3)
    for done in range(1, 101):
        clock.now += 0.001
        heard(RowsDone(done, 100, 10 * done))
    assert said == []


def test_a_long_call_says_how_far_it_is_and_ever_less_often(clock: Time) -> None:
    said: list[Event] = []
    heard = Hearing(said.append, "verified", 2, "generate", chunk=3)
    for done in range(36_001):
        heard(RowsDone(done, 36_000, 5 * done))
        clock.now += 0.1
    assert all(isinstance(event, RowsProgress) for event in said)
    assert 100 < len(said) < 300
    last = said[-1]
    assert isinstance(last, RowsProgress)
    assert (last.arm, last.round, last.stage, last.chunk) == ("verified", 2, "generate", 3)
    assert (last.done, last.of, last.tokens) == (36_000, 36_000, 180_000)
    assert last.tokens / last.seconds == pytest.approx(50)


def test_each_call_of_a_stage_is_timed_for_itself(clock: Time) -> None:
    said: list[Event] = []
    heard = Hearing(said.append, "verified", 1, "evaluate")
    for call in range(2):
        for done in range(5):
            heard(RowsDone(done, 4))
            clock.now += 1.0
        clock.now += 100 * call
    assert [event.seconds for event in said if isinstance(event, RowsProgress)] == [1, 2, 3, 4] * 2


def test_a_training_in_a_few_numbers(clock: Time) -> None:
    said: list[Event] = []
    heard = Hearing(said.append, "start", 0, "fit")
    assert heard.trained() is None
    heard(StepDone(0, 20))
    for done in range(1, 21):
        clock.now += 1.0
        heard(StepDone(done, 20, loss=40.0 - done, gradient_norm=float(done), tokens=7 * done))
    assert heard.trained() == Trained(steps=20, loss_first=38.5, loss_last=20.5, gradient_norm=10.5)
    assert heard.tokens == 140
    last = said[-1]
    assert isinstance(last, TrainingProgress)
    assert (last.done, last.loss, last.gradient_norm) == (20, 24.5, 15.5)
    assert last.tokens / last.seconds == pytest.approx(7)


def test_what_is_not_reported_is_no_number_and_not_in_the_line() -> None:
    heard = Hearing(lambda event: None, "start", 0, "fit")
    heard(StepDone(3, 3))
    trained = heard.trained()
    assert trained is not None
    assert math.isnan(trained.loss_first)
    assert math.isnan(trained.gradient_norm)
    plain = RoundRecord(arm="a", round=0, counts=Counts(), trained_on=1, metrics={}, seconds={})
    assert not {"training", "tokens"} & plain.model_dump().keys()
    full = plain.model_copy(update={"training": trained, "tokens": {"fit": 3}})
    again = RoundRecord.model_validate_json(full.model_dump_json())
    assert again.tokens == {"fit": 3}
    assert again.training is not None
    assert math.isnan(again.training.loss_last)
