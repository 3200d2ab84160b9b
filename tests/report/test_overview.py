"""The answer first: go on or stop, and what to worry about, by the quantities' cards."""

from pathlib import Path

import pytest

from veriloop.cards import ArmCard, RunCard
from veriloop.quantity import Quantity
from veriloop.records import Counts, Estimate, RoundRecord
from veriloop.report.overview import overview
from veriloop.report.run_rows import Cached, run_row
from veriloop.report.standing import standing
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest
from veriloop.store.notes import Note, note_of, write_note

QUANTITIES = {
    "goodness": Quantity("Goodness", better="higher"),
    "many": Quantity("Many kinds", watch_falls=True),
    "code": Quantity("Code length", unit="nats", least=0.1),
}
ARMS = {"tough": ArmCard(verified=True, last_round=4), "plain": ArmCard(last_round=4)}


def made(path: Path, rounds: int = 4, status: str = "finished", **numbers: list[float]) -> RunFolder:
    """A run whose verified arm measured ``numbers``, with errors of 0.01."""
    folder = RunFolder(path)
    folder.write_manifest(
        Manifest(config={"seed": 1, "rounds": 4}, seed=1, cards=RunCard(arms=ARMS, quantities=QUANTITIES))
    )
    values = {"goodness": [0.1, 0.2, 0.3, 0.4, 0.5], "many": [1.0] * 5, "code": [3.0] * 5} | numbers
    for k in range(rounds + 1):
        for arm in ARMS:
            of_arm = values if arm == "tough" else {"goodness": [0.1] * 5}
            folder.commit(
                RoundRecord(
                    arm=arm,
                    round=k,
                    counts=Counts(),
                    silent=("all 9 scores are equal (1)",)
                    if arm == "tough" and k == rounds and rounds == 3
                    else (),
                    trained_on=1,
                    metrics={name: Estimate(own[k], 0.01) for name, own in of_arm.items()},
                    seconds={},
                ),
                folder.work_directory(k, arm),
            )
    folder.set_status(status)  # type: ignore[arg-type]
    return folder


def test_a_healthy_run_has_no_worries(tmp_path: Path) -> None:
    found = overview(made(tmp_path / "run"))
    assert found.worries == ()
    assert found.lines()[0].startswith("tough is better than plain: Goodness +0.400")
    assert found.next_step.startswith(("Continue", "Cannot tell whether to continue"))
    assert found.lines()[-1] == found.next_step


@pytest.mark.parametrize(
    ("numbers", "worry"),
    [
        ({"many": [1.0, 0.9, 0.8, 0.7, 0.6]}, "Many kinds of tough has fallen: 1.00 → 0.600 by round 4."),
        (
            {"code": [3.0, 2.0, 1.0, 0.5, 0.02]},
            "Code length of tough is very low: 0.0200 nats after round 4, below 0.1.",
        ),
    ],
)
def test_worries_follow_the_cards(tmp_path: Path, numbers: dict[str, list[float]], worry: str) -> None:
    found = overview(made(tmp_path / "run", 4, "finished", **numbers))
    assert found.worries == (worry,)
    assert found.lines()[-1] == f"Worry: {worry}"
    assert found.to_json()["worries"] == [worry]


def test_a_small_or_noisy_fall_is_no_worry(tmp_path: Path) -> None:
    assert overview(made(tmp_path / "small", many=[1.0, 1.0, 1.0, 1.0, 0.96])).worries == ()
    assert overview(made(tmp_path / "noisy", many=[0.2, 0.2, 0.2, 0.2, 0.18])).worries == ()


def test_a_silent_verifier_is_a_worry(tmp_path: Path) -> None:
    (worry,) = overview(made(tmp_path / "run", rounds=3)).worries
    assert (
        worry
        == "candidates of tough were not distinguished in 1 of 3 rounds; round 3: all 9 scores are equal (1)."
    )


def test_a_run_that_nobody_runs_has_died(tmp_path: Path) -> None:
    folder = made(tmp_path / "my run", rounds=2, status="running")
    with folder.lock():
        assert standing(folder).status == "running"
    found = standing(folder)
    assert found.status == "died"
    assert found.line.startswith("died in round 3 at ")
    assert found.sentence.endswith(f"; continue with: veriloop resume '{folder.path}'")
    assert overview(folder).lines()[0] == found.sentence
    assert standing(made(tmp_path / "whole")) == ("finished", "", "")
    assert standing(made(tmp_path / "all", status="running")).line.startswith("died after its last round")


def test_rows_are_cached_until_the_run_changes(tmp_path: Path) -> None:
    folder, cache = made(tmp_path / "run"), Cached(10)
    first = cache.row(folder)
    assert (first.course and first.course[3:]) == (0.1, 0.5, 0.5)
    assert first.done == 4
    assert cache.row(folder).found is first.found
    write_note(folder.path, Note.of(" a note ", "one, two words , one"))
    assert note_of(folder.path) == ("a note", ("one", "two words"))
    again = cache.row(folder)
    assert again.note.tags == ("one", "two words")
    assert again.version != first.version
    assert again.group == run_row(folder).group


def test_a_row_of_a_list_is_the_whole_one_without_its_forecast(tmp_path: Path) -> None:
    folder = made(tmp_path / "run")
    whole, short = run_row(folder), run_row(folder, forecasts=False)
    assert whole.found is not None
    assert whole.found.next_step
    assert short == whole._replace(found=whole.found._replace(next_step=""))
