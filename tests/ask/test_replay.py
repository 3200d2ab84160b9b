"""Rounds made again from their folders: the same candidates, and what the verifier said of all of them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.ask.replay import Remade, replayed
from veriloop.config import plan_from
from veriloop.errors import ConfigError, CorruptFileError
from veriloop.loop import Plan, run
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.testing.tiny import TinyGenerator, TinyJudge

TINY = "veriloop.testing.tiny"
SCHEDULE = {"kind": "constant", "n": 60}


def plan(**changes: Any) -> Plan:
    settings = {
        "rounds": 2,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": f"{TINY}:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.2},
        "schedule": SCHEDULE,
        "arms": ["verified", "unverified"],
        "chunk_size": 70,
        "keep_rejected": True,
    }
    return plan_from({**settings, **changes})


PLANS = {
    "top fraction": plan(),
    "top fraction, balanced": plan(balance="label"),
    "threshold": plan(acceptance={"kind": "threshold", "at": -1.0}),
    "threshold, balanced": plan(acceptance={"kind": "threshold", "at": -1.0}, balance="label"),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("round_", [1, 2])
def test_the_kept_and_the_rejected_are_those_of_the_run(name: str, round_: int, tmp_path: Path) -> None:
    folder = run(PLANS[name], tmp_path / "run")
    made = replayed(PLANS[name], folder, "verified", round_)
    assert made.round == round_
    assert made.samples.select(made.accepted == 1).same_as(folder.kept(round_, "verified"))
    np.testing.assert_array_equal(
        made.score[made.accepted == 1], folder.kept_with_provenance(round_, "verified").array("_score")
    )
    rejected = Samples.load(folder.round_directory(round_, "verified") / "rejected.npz")
    others = made.samples.select(made.accepted != 1)
    surplus = len(rejected) - len(others)
    counts = next(r.counts for r in folder.records() if (r.arm, r.round) == ("verified", round_))
    if counts.accepted == counts.kept:
        assert surplus == 0
        assert others.same_as(rejected.only(list(others)))
    else:
        # What a full quota turned away is among the run's rejected, and not here.
        assert surplus >= counts.accepted - counts.kept
        assert made.score[made.accepted == 0].max() < -1


def test_abstained_candidates_are_neither_accepted_nor_rejected(tmp_path: Path) -> None:
    shy = plan(verifier={"kind": f"{TINY}:TinyVerifier", "abstain": 0.3})
    folder = run(shy, tmp_path / "run")
    made = replayed(shy, folder, "verified", None)
    assert made.round == 2
    counts = next(r.counts for r in folder.records() if (r.arm, r.round) == ("verified", 2))
    assert counts.abstained > 0
    assert np.isnan(made.accepted).sum() == counts.abstained
    assert (made.accepted == 0).sum() == counts.rejected


def test_what_cannot_be_made_again(tmp_path: Path) -> None:
    folder = run(plan(), tmp_path / "run")

    def again(arm: str, round_: int | None) -> Remade:
        return replayed(plan(), RunFolder.open(folder.path), arm, round_)

    for arm, round_, message in (
        ("verfied", 1, "no such arm"),
        ("unverified", 1, "has no verifier"),
        ("verified", 3, "no such finished round"),
    ):
        with pytest.raises(ConfigError, match=message):
            again(arm, round_)


@pytest.mark.parametrize("name", PLANS)
def test_stored_candidates_are_read_and_no_model_is_loaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping = PLANS[name].model_copy(update={"keep_candidates": True, "keep_models": "last"})
    made = replayed(PLANS[name], run(PLANS[name], tmp_path / "made"), "verified", 1)
    folder = run(keeping, tmp_path / "stored")
    assert not (folder.round_directory(1, "verified") / "generator").exists()
    for model in (TinyGenerator, TinyJudge):
        monkeypatch.setattr(model, "load", lambda directory: pytest.fail("a model was loaded"))
    stored = replayed(keeping, folder, "verified", 1)
    assert stored.samples.same_as(made.samples)
    for field in ("score", "accepted", "groups"):
        np.testing.assert_array_equal(getattr(stored, field), getattr(made, field))
    assert (stored.round, stored.verifier) == (made.round, made.verifier)


def test_reasons_for_abstaining_are_read_as_they_were_given(tmp_path: Path) -> None:
    shy = plan(verifier={"kind": f"{TINY}:TinyVerifier", "abstain": 0.3}, keep_candidates=True)
    folder = run(shy, tmp_path / "run")
    stored = replayed(shy, folder, "verified", 2)
    made = replayed(plan(verifier=shy.arms["verified"].verifier), _without(folder), "verified", 2)
    np.testing.assert_array_equal(stored.accepted, made.accepted)
    assert np.isnan(stored.accepted).any()


def _without(folder: RunFolder) -> RunFolder:
    folder.candidates = lambda round_, arm: []  # pyright: ignore[reportAttributeAccessIssue]
    return folder


def test_a_stored_candidate_that_has_changed_is_noticed(tmp_path: Path) -> None:
    keeping = plan(keep_candidates=True)
    folder = run(keeping, tmp_path / "run")
    path = folder.round_directory(1, "verified") / "candidates" / "000000.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"000000\.npz"):
        replayed(keeping, folder, "verified", 1)
