import pytest

from veriloop.cli.watch import Watch
from veriloop.events import (
    ArmStopped,
    Progress,
    RoundFinished,
    RowsProgress,
    StageStarted,
    TrainingProgress,
)


def finished(arm: str, round_: int, at: float) -> RoundFinished:
    return RoundFinished(arm=arm, round=round_, peak_memory_mb=1, at=at)


def test_an_arm_is_followed_through_a_round() -> None:
    watch = Watch({"verified": 2}, {})
    watch.see(StageStarted(arm="start", round=0, stage="fit", at=0))
    assert watch.start_stage == "fit"
    watch.see(finished("verified", 0, 5))
    assert (watch.start_stage, watch.arms["verified"].done) == ("", 0)
    watch.see(StageStarted(arm="verified", round=1, stage="generate", at=5))
    watch.see(Progress(arm="verified", round=1, generated=50, accepted=5, wanted=10, at=6))
    arm = watch.arms["verified"]
    assert arm.stage == "generate"
    assert arm.progress is not None
    assert arm.progress.accepted == 5
    watch.see(finished("verified", 1, 8))
    assert (arm.done, arm.stage, arm.progress, arm.remaining) == (1, "", None, 1)


def test_time_left_is_reckoned_from_whole_rounds() -> None:
    watch = Watch({"verified": 4, "unverified": 4}, {})
    watch.see(StageStarted(arm="start", round=0, stage="fit", at=0))
    for arm in watch.arms:
        watch.see(finished(arm, 0, 100))
    watch.see(StageStarted(arm="verified", round=1, stage="fit", at=100))
    assert watch.seconds_left(101) is None
    watch.see(finished("verified", 1, 104))
    watch.see(finished("unverified", 1, 106))
    # Two rounds took 6 seconds, six are left.
    assert watch.seconds_left(106) == pytest.approx(18)
    assert watch.seconds_left(110) == pytest.approx(14)
    assert watch.seconds_left(999) == 0


def test_rounds_of_before_do_not_count_for_the_pace_and_stopped_arms_not_for_the_rest() -> None:
    watch = Watch({"verified": 4, "unverified": 4}, {"verified": 3, "unverified": 1})
    watch.see(StageStarted(arm="unverified", round=2, stage="fit", at=10))
    watch.see(finished("unverified", 2, 12))
    assert watch.seconds_left(12) == pytest.approx((1 + 2) * 2)
    watch.see(ArmStopped(arm="unverified", round=3, reason="", at=12))
    assert watch.arms["unverified"].stopped
    assert watch.seconds_left(12) == pytest.approx(2)


def test_calls_under_way_are_followed_by_their_chunk() -> None:
    watch = Watch({"verified": 2}, {})
    step = {"round": 0, "stage": "fit", "of": 9, "gradient_norm": 1.0, "tokens": 5, "seconds": 1.0}
    watch.see(StageStarted(arm="start", round=0, stage="fit", at=0))
    watch.see(TrainingProgress(arm="start", done=3, loss=2.0, **step))
    assert watch.start_working is not None
    assert watch.start_working.done == 3
    watch.see(StageStarted(arm="start", round=0, stage="evaluate", at=1))
    assert watch.start_working is None
    watch.see(finished("verified", 0, 5))
    watch.see(StageStarted(arm="verified", round=1, stage="generate", at=5))
    rows = {"arm": "verified", "round": 1, "stage": "generate", "of": 50, "tokens": 0, "seconds": 1.0}
    for chunk, done in ((0, 10), (1, 20), (0, 50)):
        watch.see(RowsProgress(chunk=chunk, done=done, **rows))
    working = watch.arms["verified"].working
    assert {chunk: event.done for chunk, event in working.items()} == {1: 20}
    watch.see(StageStarted(arm="verified", round=1, stage="fit", at=6))
    assert working == {}
