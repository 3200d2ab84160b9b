import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from veriloop.cli.live import Board, Lines
from veriloop.cli.watch import Watch
from veriloop.events import (
    ArmStopped,
    Event,
    Exhausted,
    Progress,
    RoundFinished,
    RowsProgress,
    StageStarted,
    TrainingProgress,
    VerifierSilent,
)
from veriloop.records import Counts, RoundRecord, Trained
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest

ARMS = {"verified": 3, "unverified": 3, "all_real": 1}


def finished(arm: str, round_: int, at: float = 0) -> RoundFinished:
    return RoundFinished(arm=arm, round=round_, peak_memory_mb=1, at=at)


@pytest.fixture
def folder(tiny_run: Path) -> RunFolder:
    return RunFolder(tiny_run)


def lines(folder: RunFolder, done: dict[str, int], *events: Event) -> list[str]:
    watch, file = Watch(ARMS, done), io.StringIO()
    view = Lines(folder, watch, file)
    for event in events:
        watch.see(event)
    view.show(list(events))
    return file.getvalue().splitlines()


def test_a_line_for_each_finished_round_and_one_for_the_start_model(folder: RunFolder) -> None:
    said = lines(folder, {}, *(finished(arm, 0) for arm in ARMS), finished("verified", 3))
    assert len(said) == 2
    assert said[0].startswith("start model done: gap ")
    assert said[1].startswith("verified round 3/3 done: gap ")
    assert "±" in said[1]


def test_a_line_says_why_the_verifier_abstained(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    record = RoundRecord(
        arm="verified",
        round=1,
        counts=Counts(generated=400, accepted=40, rejected=340, abstained=20, kept=40),
        abstentions={"took longer than 10 s": 12, "KeyError: 'answer'": 5},
        trained_on=40,
        metrics={},
        seconds={},
    )
    folder.write_manifest(Manifest(config={}, seed=0))
    folder.commit(record, folder.work_directory(1, "verified"))
    assert lines(folder, {}, finished("verified", 1))[0].endswith(
        "; abstained on 20 of 400: took longer than 10 s (12), KeyError: 'answer' (5), other reasons (3)"
    )


def test_what_goes_wrong_is_said(folder: RunFolder) -> None:
    exhausted = Exhausted(arm="verified", round=2, wanted=400, kept=120, action="train_with_fewer")
    stopped = ArmStopped(arm="verified", round=3, reason="no more candidates")
    assert lines(folder, ARMS, exhausted, stopped) == [
        "verified round 2: kept 120 of 400 wanted",
        "verified ended early: no more candidates",
    ]


SILENT = VerifierSilent(
    arm="verified",
    round=2,
    why="none of 100 candidates was accepted",
    seen=100,
    examples=[
        {"prompt": "1 + 1", "completion": "3", "_reason": "wrong"},
        {"prompt": "2 + 2", "completion": ""},
    ],
)


def test_a_silent_verifier_is_said_with_examples(folder: RunFolder) -> None:
    assert lines(folder, ARMS, SILENT) == [
        "verified round 2: none of 100 candidates was accepted",
        "  such as prompt '1 + 1', completion '3', said 'wrong'",
        "  such as prompt '2 + 2', completion ''",
    ]
    table = drawn(folder, SILENT)
    assert "verified round 2: none of 100 candidates was accepted" in table
    assert "said 'wrong'" in table


def drawn(folder: RunFolder, *events: Event) -> str:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    watch = Watch(ARMS, {})
    with Live(console=console, auto_refresh=False) as live:
        board = Board(folder, watch, live)
        for event in events:
            watch.see(event)
        board.show(list(events))
        with console.capture() as captured:
            console.print(live.renderable)
    return captured.get()


def test_the_board_shows_each_arm(folder: RunFolder) -> None:
    shown = drawn(
        folder,
        *(finished(arm, 0) for arm in ARMS),
        StageStarted(arm="verified", round=1, stage="generate"),
        Progress(arm="verified", round=1, generated=5_000, accepted=250, wanted=4_000),
        StageStarted(arm="unverified", round=1, stage="fit"),
        finished("all_real", 1),
    )
    rows = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
    assert "0/3" in rows["verified"]
    assert "accepted 250/4,000 of 5,000" in rows["verified"]
    assert "fit" in rows["unverified"]
    assert "1/1" in rows["all_real"]
    assert "done" in rows["all_real"]
    assert "gap" in rows["all_real"]
    assert "so far" in shown


def test_the_board_shows_the_start_model_and_early_ends(folder: RunFolder) -> None:
    assert "start model: fit" in drawn(folder, StageStarted(arm="start", round=0, stage="fit"))
    assert "ended early" in drawn(folder, ArmStopped(arm="verified", round=1, reason=""))


def working(at: float, done: int) -> TrainingProgress:
    far = {"done": done, "of": 75, "loss": 2.314, "gradient_norm": 1.4, "tokens": 9_500, "seconds": 10.0}
    return TrainingProgress(arm="verified", round=1, stage="fit", at=at, **far)


def test_lines_say_how_far_a_long_call_is_but_seldom(folder: RunFolder) -> None:
    begun = StageStarted(arm="verified", round=1, stage="fit", at=100)
    said = lines(folder, {}, begun, *(working(100 + i, i) for i in range(75)))
    assert said == [
        f"verified round 1: fit step {i}/75, loss 2.31, gradient norm 1.40, 950 tokens/s" for i in (30, 60)
    ]


def test_the_board_shows_the_call_under_way(folder: RunFolder) -> None:
    watch, screen = Watch(ARMS, {"verified": 0}), io.StringIO()
    live = Live(console=Console(file=screen, width=160, force_terminal=True), auto_refresh=False)
    rows = {"done": 312, "of": 2_000, "tokens": 4_200, "seconds": 20.0, "chunk": 0}
    events = [
        StageStarted(arm="verified", round=1, stage="generate", at=1),
        RowsProgress(arm="verified", round=1, stage="generate", **rows),
    ]
    for event in events:
        watch.see(event)
    with live:
        Board(folder, watch, live).show(list(events))
    assert "generate 312/2,000 rows, 210 tokens/s" in screen.getvalue()


def test_a_finished_round_says_how_its_training_went(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    trained = Trained(steps=75, loss_first=2.8, loss_last=2.3, gradient_norm=1.5)
    record = RoundRecord(
        arm="verified", round=1, counts=Counts(), trained_on=40, training=trained,
        tokens={"fit": 9_500}, metrics={}, seconds={"fit": 10.0},
    )  # fmt: skip
    folder.write_manifest(Manifest(config={}, seed=0))
    folder.commit(record, folder.work_directory(1, "verified"))
    said = lines(folder, {}, finished("verified", 1))
    assert said == ["verified round 1/3 done; loss 2.80 → 2.30, gradient norm 1.50, 950 tokens/s"]
