"""The preview is over in time whatever the parts do, and shows what the verifier says."""

import math
import time
from typing import ClassVar

import numpy as np
import pytest
from typing_extensions import override

from veriloop.advance import StepDone, report
from veriloop.generator import Generator
from veriloop.judge import Judge
from veriloop.loop import preview, trial
from veriloop.loop.previews import Preview
from veriloop.loop.shown import as_text, drawn, set_aside
from veriloop.samples import Samples
from veriloop.schema import Completion, Image, Prompt, Schema
from veriloop.store.reader import FATE, REASON, SCORE
from veriloop.testing.tiny import TinyGenerator, TinyJudge, TinyLearner, TinyVerifier
from veriloop.verdicts import Decision, Verdicts

from ..patience import NEVER

HERE = __name__
DRAWN: list[int] = []


class NotingGenerator(TinyGenerator):
    """Notes how many samples are drawn."""

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        DRAWN.append(n)
        return super().sample(n, rng, condition)


class SteppingLearner(TinyLearner, frozen=True):
    """Reports a step for each row, a million times over; ends early if that is enough."""

    generator_type: ClassVar[type[Generator]] = NotingGenerator

    @override
    def rows_seen(self, n: int) -> int:
        return 1_000_000 * n

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> NotingGenerator:
        steps = self.rows_seen(len(samples))
        report(StepDone(0, steps))
        for done in range(1, steps + 1):
            time.sleep(0.001)
            if report(StepDone(done, steps, loss=1.0, tokens=10 * done)):
                break
        tiny = super().fit(samples, None, rng)
        return NotingGenerator(tiny.mean, tiny.spread)


class EndlessLearner(TinyLearner, frozen=True):
    """Never ends, and reports nothing."""

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> TinyGenerator:
        time.sleep(NEVER)
        raise AssertionError


class EndlessJudge(TinyJudge):
    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        time.sleep(NEVER)
        raise AssertionError


class EndlessVerifier(TinyVerifier, frozen=True):
    """Never says anything."""

    judge_type: ClassVar[type[Judge]] = EndlessJudge

    @override
    def fit(self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator):
        return EndlessJudge(self, super().fit(previous, generator, real, rng).means)


class StatingJudge(TinyJudge):
    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        said = super().verify(samples, rng)
        return Verdicts(said.score, said.decision, [f"as far as {-score:.3f}" for score in said.score])


class StatingVerifier(TinyVerifier, frozen=True):
    """Gives a reason for each sample."""

    judge_type: ClassVar[type[Judge]] = StatingJudge

    @override
    def fit(self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator):
        return StatingJudge(self, super().fit(previous, generator, real, rng).means)


STATING = {"kind": f"{HERE}:StatingVerifier"}


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever takes time at all is slow."""
    monkeypatch.setattr(trial, "FIT", 0.01)
    monkeypatch.setattr(trial, "WRITE", 0.0)


def test_a_long_training_is_cut_short_and_reckoned_by_its_steps(tiny_plan, slow) -> None:
    seen = preview(tiny_plan(learner=f"{HERE}:SteppingLearner"))
    assert seen.tried_steps is not None
    done, of = seen.tried_steps
    assert 0 < done < 100_000 < of == 1_000_000 * seen.tried_rows
    assert seen.start_seconds > 30 * 1_000_000 * 0.001, "each of the steps of 30 rows takes a millisecond"
    assert seen.tokens_per_second["fit"] < 10 / 0.001
    assert seen.missed == ()


def test_slow_candidates_are_few_and_made_once_for_all_arms(tiny_plan, slow) -> None:
    DRAWN.clear()
    plan = tiny_plan(learner=f"{HERE}:SteppingLearner", balance=None, evaluation_samples=50)
    seen = preview(plan)
    assert {name: arm.counts.generated for name, arm in seen.arms.items()} == {
        "verified": trial.FEW,
        "unverified": trial.FEW,
        "all_real": 0,
    }
    assert DRAWN == [trial.FEW, 50], "the candidates, and what is evaluated"
    assert seen.arms["verified"].estimated_candidates == 3 * 600, "the rule says how many it needs"


def test_what_never_ends_is_given_up_and_named(tiny_plan, monkeypatch) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 0.1)
    seen = preview(tiny_plan(learner=f"{HERE}:EndlessLearner"))
    assert seen.missed == ("the start model (not done after 0 s)",)
    assert math.isnan(seen.estimated_seconds)
    assert set(seen.arms) == {"verified", "unverified", "all_real"}
    monkeypatch.setattr(trial, "PATIENCE", 3.0)  # enough for what ends, on a busy machine too
    seen = preview(tiny_plan(verifier=f"{HERE}:EndlessVerifier", arms=["verified", "unverified"]))
    assert seen.missed == (
        "8 candidates of verified (not done after 3 s)",
        "a candidate of verified (not done after 3 s)",
    )
    assert math.isnan(seen.arms["verified"].estimated_seconds)
    assert seen.arms["unverified"].counts.kept == 60, "what does end is shown all the same"
    assert math.isnan(seen.estimated_seconds)
    assert Preview.model_validate_json(seen.model_dump_json()).missed == seen.missed


class HeavyGenerator(TinyGenerator):
    """Eight samples are never done."""

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        if n == trial.FEW:
            time.sleep(NEVER)
        return super().sample(n, rng, condition)


class HeavyLearner(TinyLearner, frozen=True):
    generator_type: ClassVar[type[Generator]] = HeavyGenerator

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> HeavyGenerator:
        tiny = super().fit(samples, None, rng)
        return HeavyGenerator(tiny.mean, tiny.spread)


class HeavyWriter(HeavyGenerator):
    """Answers every question with 100."""

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        if n == trial.FEW:
            time.sleep(NEVER)
        return condition.with_columns(answer=["100"] * n)


class HeavyWriterLearner(TinyLearner, frozen=True):
    generator_type: ClassVar[type[Generator]] = HeavyWriter

    @override
    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> HeavyWriter:
        return HeavyWriter(np.zeros((3, 2)), np.ones((3, 2)))


WRITES = {
    "dataset": {"kind": "arithmetic", "problems": 40, "start": 0},
    "learner": f"{HERE}:HeavyWriterLearner",
    "verifier": {"kind": "regex", "pattern": "^9"},
    "acceptance": "accept_all",
    "samples_per_prompt": 4,
    "metrics": [],
}


@pytest.mark.parametrize("own", [{"learner": f"{HERE}:HeavyLearner", "verifier": STATING}, WRITES])
def test_where_several_are_not_done_in_time_one_is_shown(tiny_plan, monkeypatch, own) -> None:
    monkeypatch.setattr(trial, "MOST", 0.01)
    seen = preview(tiny_plan(**{"balance": None, "arms": ["verified"], **own}))
    assert seen.missed[0].startswith("8 candidates of verified (not done after ")
    assert len(seen.arms["verified"].shown) == 1
    assert seen.arms["verified"].shown[0].reason


def test_candidates_are_shown_with_what_was_said_of_them(tiny_plan) -> None:
    arm = preview(tiny_plan(verifier=STATING)).arms["verified"]
    assert [shown.fate for shown in arm.shown] == ["kept", "kept", "not kept"]
    best, _, worst = arm.shown
    assert best.score is not None
    assert worst.score is not None
    assert best.score > worst.score
    for shown in arm.shown:
        assert list(shown.columns) == ["label", "x"], "what is given comes first"
        assert shown.reason == f"as far as {-(shown.score or 0):.3f}"


@pytest.mark.parametrize(
    ("verifier", "fate", "sign"),
    [
        ({**STATING, "mode": "decide", "bias": 99.0}, "not kept", "none of 1,000 candidates was accepted"),
        ({**STATING, "mode": "decide", "abstain": 1.0}, "abstained", "the verifier abstains on all"),
    ],
)
def test_a_verifier_that_takes_nothing_is_noticed(tiny_plan, verifier, fate, sign) -> None:
    changes = {"acceptance": "accept_all", "balance": None, "arms": ["verified"]}
    arm = preview(tiny_plan(verifier=verifier, **changes)).arms["verified"]
    assert any(why.startswith(sign) for why in arm.silent), arm.silent
    assert [shown.fate for shown in arm.shown] == [fate] * 3
    assert all(shown.reason for shown in arm.shown)
    assert arm.counts.kept == 0
    low, high = arm.candidates_range
    assert low <= arm.estimated_candidates <= high == 3 * 60 * 1_000, "up to the arm's limit"


def test_the_range_holds_the_estimate_and_the_true_number_of_candidates(tiny_plan) -> None:
    half = {"kind": f"{HERE}:StatingVerifier", "mode": "decide"}
    plan = tiny_plan(verifier=half, acceptance="accept_all", balance=None, arms=["verified"])
    seen = preview(plan)
    arm = seen.arms["verified"]
    low, high = arm.candidates_range
    assert low <= arm.estimated_candidates <= high
    low, high = seen.seconds_range
    assert low < seen.estimated_seconds < high


def test_some_of_each_fate_the_best_first() -> None:
    score = np.array([0.1, 0.9, 0.5, np.nan, 0.7, 0.3, 0.2])
    decision = np.full(7, Decision.OPEN)
    decision[3] = Decision.ABSTAIN
    samples = Samples(text=[str(i) for i in range(7)])
    verdicts = Verdicts(score, decision, [f"{i}\nlines" for i in range(7)])
    some = set_aside(samples, verdicts, np.array([1, 4]), of_each=2)
    assert some["text"] == ["1", "4", "2", "0", "3"]
    assert some.array(FATE).tolist() == [0, 0, 1, 1, 2]
    np.testing.assert_array_equal(some.array(SCORE), [0.9, 0.7, 0.5, 0.1, np.nan])
    assert some[REASON] == ["1 lines", "4 lines", "2 lines", "0 lines", "3 lines"]


def test_texts_are_whole_and_images_drawn() -> None:
    pixels = np.zeros((1, 4, 4), np.uint8)
    pixels[0, :2, 1] = 16
    long = "word " * 100
    samples = Samples(answer=[long], prompt=["Two\nlines"], image=pixels)
    schema = Schema(
        {"answer": Completion(), "prompt": Prompt(), "image": Image(height=4, width=4, levels=16)}
    )
    text = as_text(samples, 0, schema)
    assert next(iter(text)) == "prompt"
    assert text["prompt"] == "Two\nlines"
    assert text["answer"] == f"{long[:400]} …"
    assert text["image"] == " @\n"
    wide = drawn(np.full((64, 64), 4.0), 4.0).splitlines()
    assert wide == ["@" * 32] * 16, "as wide as a screen, and half as high"
