import json
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest

from veriloop.errors import ConfigError, DataError, ExhaustedError, RunFolderError, VeriloopError
from veriloop.events import ArmStopped, Exhausted, RunEnded
from veriloop.loop import preview, run, stores
from veriloop.rules.policy import DataPolicy
from veriloop.samples import Samples, concat
from veriloop.store.folder import RunFolder
from veriloop.testing.broken import cut as broken_off
from veriloop.testing.tiny import TinyGenerator, TinyLearner

TINY = "veriloop.testing.tiny"
NEVER = {"acceptance": {"kind": "threshold", "at": 1e9}, "arms": ["verified"], "max_candidates": 300}


def _content(folder):
    """All that must be equal between equal runs."""
    records = []
    for line in (folder.path / "records.jsonl").read_text().splitlines():
        record = json.loads(line)
        del record["seconds"]
        records.append(record)
    files = {
        str(p.relative_to(folder.path)): p.read_bytes()
        for p in folder.path.glob("round_*/**/*")
        if p.is_file()
    }
    return records, files


def test_every_round_of_every_arm_is_recorded_in_order(tiny_plan, tmp_path):
    folder = run(tiny_plan(), tmp_path / "run")
    assert [(r.arm, r.round) for r in folder.records()] == [
        ("verified", 0),
        ("unverified", 0),
        ("all_real", 0),
        ("verified", 1),
        ("unverified", 1),
        ("all_real", 1),
        ("verified", 2),
        ("unverified", 2),
        ("verified", 3),
        ("unverified", 3),
    ]
    assert folder.manifest().status == "finished"


def test_all_arms_share_the_start_model(tiny_plan, tmp_path):
    folder = run(tiny_plan(), tmp_path / "run")
    start = [r.metrics for r in folder.records() if r.round == 0]
    assert start[0] == start[1] == start[2]
    weights = {
        (folder.path / "round_0" / arm / "generator" / "model.safetensors").read_bytes()
        for arm in tiny_plan().arms
    }
    assert len(weights) == 1


def test_counts_add_up_and_quotas_are_met(tiny_plan, tmp_path):
    verifier = {"kind": f"{TINY}:TinyVerifier", "abstain": 0.2}
    folder = run(tiny_plan(verifier=verifier), tmp_path / "run")
    for record in folder.records():
        c = record.counts
        assert c.generated == c.accepted + c.rejected + c.abstained
        if record.round and record.arm != "all_real":
            assert c.kept == record.trained_on == 60
            labels = folder.kept(record.round, record.arm).array("label")
            assert np.bincount(labels).tolist() == [20, 20, 20]
    verified = [r.counts for r in folder.records() if r.arm == "verified" and r.round]
    assert all(c.abstained > 0 and c.generated - c.abstained >= 600 for c in verified)


@pytest.mark.parametrize(
    "changes",
    [
        {"executor": {"kind": "process", "workers": 2}},
        {"executor": {"kind": "process", "workers": 2}, "parallel": "chunks"},
        {"executor": {"kind": "process", "workers": 3}, "parallel": "chunks"},
    ],
)
@pytest.mark.parametrize("acceptance", ["top_fraction", {"kind": "threshold", "at": -0.5}])
def test_the_executor_does_not_matter(tiny_plan, tmp_path, changes, acceptance):
    serial = run(tiny_plan(acceptance=acceptance), tmp_path / "a")
    other = run(tiny_plan(acceptance=acceptance, **changes), tmp_path / "b")
    assert _content(serial) == _content(other)


def test_equal_in_another_process_and_different_for_another_seed(tiny_plan, tmp_path):
    code = (
        "import sys, json; from veriloop.config import plan_from; from veriloop.loop import run;"
        "run(plan_from(json.loads(sys.argv[1])), sys.argv[2])"
    )
    plan = tiny_plan()
    subprocess.run(
        [sys.executable, "-c", code, json.dumps(plan.config()), tmp_path / "b"],
        check=True,
        capture_output=True,
    )
    here = run(plan, tmp_path / "a")
    assert _content(here) == _content(RunFolder(tmp_path / "b"))
    other = run(tiny_plan(seed=2), tmp_path / "c")
    assert not here.kept(1, "verified").same_as(other.kept(1, "verified"))


def test_an_arm_does_not_depend_on_the_other_arms(tiny_plan, tmp_path):
    whole = run(tiny_plan(), tmp_path / "a")
    alone = run(tiny_plan(arms=["unverified"]), tmp_path / "b")
    assert whole.kept(3, "unverified").same_as(alone.kept(3, "unverified"))


ALIKE = {"one": {"warm_start": True}, "other": {"warm_start": True}, "unverified": {"verifier": None}}


def test_equal_settings_give_equal_bits_under_two_names(tiny_plan, tmp_path):
    folder = run(tiny_plan(arms=ALIKE), tmp_path / "run")
    for round_ in (1, 2, 3):
        one, other = (folder.round_directory(round_, arm) for arm in ("one", "other"))
        for file in ("kept.npz", "generator/model.safetensors"):
            assert (one / file).read_bytes() == (other / file).read_bytes()
    records = {(r.arm, r.round): r for r in folder.records()}
    assert records["one", 3].metrics == records["other", 3].metrics


def test_arms_ask_the_start_model_for_the_same_candidates(tiny_plan, tmp_path):
    everything = {"kind": "top_fraction", "fraction": 1.0}
    plan = tiny_plan(arms=["verified", "unverified"], acceptance=everything, rounds=1)
    folder = run(plan, tmp_path / "a")
    assert folder.kept(1, "verified").same_as(folder.kept(1, "unverified"))
    apart = run(plan.model_copy(update={"common_random_numbers": False}), tmp_path / "b")
    assert not apart.kept(1, "verified").same_as(apart.kept(1, "unverified"))


def test_arms_that_draw_by_name_must_have_names_apart(tiny_plan):
    same_crc = {"plumless": {}, "buckeroo": {}}
    tiny_plan(arms=same_crc)
    with pytest.raises(ConfigError, match="two arm names share a seed"):
        tiny_plan(arms=same_crc, common_random_numbers=False)


@pytest.mark.parametrize("policy", ["replace", "accumulate", {"kind": "mix", "real_share": 0.25}])
@pytest.mark.parametrize("cut", [0, 1, 4, 7])
def test_resume_continues_as_if_never_broken(tiny_plan, tmp_path, policy, cut):
    plan = tiny_plan(policy=policy, warm_start=True)
    whole = run(plan, tmp_path / "a")
    broken = run(plan, tmp_path / "b")
    broken_off(broken.path, cut)
    for name in ("records.jsonl", "records.sha256"):
        with (broken.path / name).open("a") as file:
            file.write('{"torn')
    run(plan, broken.path, resume="always")
    assert _content(whole) == _content(broken)


def test_accumulate_trains_on_everything(tiny_plan, tmp_path):
    folder = run(tiny_plan(policy="accumulate"), tmp_path / "run")
    sizes = [r.trained_on for r in folder.records() if r.arm == "verified"]
    assert sizes == [30, 90, 150, 210]


@pytest.mark.parametrize("policy", ["accumulate", "accumulate_subsample", f"{__name__}:LastTwo", "replace"])
def test_no_round_is_read_again_but_after_a_resume(tiny_plan, tmp_path, monkeypatch, policy):
    read = []
    load = Samples.load.__func__
    monkeypatch.setattr(Samples, "load", classmethod(lambda cls, path: read.append(path) or load(cls, path)))
    arms, rounds = ["verified", "unverified"], 8
    plan = tiny_plan(policy=policy, rounds=rounds, arms=arms, verifier=f"{TINY}:TinyVerifier")
    whole = run(plan, tmp_path / "a")
    assert read == [], "this process has made them all"
    broken = run(plan, tmp_path / "b")
    broken_off(broken.path, 2 * 6)
    run(plan, broken.path, resume="always")
    kept = [p for p in read if p.name == "kept.npz"]
    looked_back = {"replace": 0, f"{__name__}:LastTwo": 1}.get(policy, 5)
    assert len(kept) == len(set(kept)) == looked_back * len(arms), "each once, for six of the rounds are done"
    assert _content(whole) == _content(broken)


class LastTwo(DataPolicy, frozen=True):
    """A plug-in's policy, which joins by itself."""

    def training_set(self, start: Samples, kept: Sequence[Samples], rng: np.random.Generator) -> Samples:
        return concat(kept[-2:])


def test_large_models_are_read_from_the_folder(tiny_plan, tmp_path, monkeypatch):
    plan = tiny_plan(policy="accumulate", warm_start=True)
    held = run(plan, tmp_path / "a")
    monkeypatch.setattr(stores, "HELD_BYTES", 0)
    loaded = []
    load = TinyGenerator.load.__func__
    monkeypatch.setattr(
        TinyGenerator, "load", classmethod(lambda cls, path: loaded.append(path) or load(cls, path))
    )
    assert _content(run(plan, tmp_path / "b")) == _content(held)
    assert len(loaded) == 7  # rounds 0 to 2 of two arms, and the start model of the bound


def test_a_process_holds_nothing_of_a_run_that_is_over(tiny_plan, tmp_path):
    run(tiny_plan(policy="accumulate"), tmp_path / "run")
    with pytest.raises(ExhaustedError):
        run(tiny_plan(**NEVER), tmp_path / "other")
    assert not stores._held_here


def test_kept_samples_say_where_they_are_from(tiny_plan, tmp_path):
    plan = tiny_plan(keep_rejected=True)
    folder = run(plan, tmp_path / "run")
    kept = folder.kept_with_provenance(2, "verified")
    where = kept.array("_chunk") * plan.chunk_size + kept.array("_row")
    assert len(set(where.tolist())) == 60
    rejected = Samples.load(folder.round_directory(2, "verified") / "rejected.npz")
    both = concat([kept, rejected.only(list(kept))])
    assert len(both) == 600
    for label in range(3):
        worst = kept.array("_score")[kept.array("label") == label].min()
        assert worst >= rejected.array("_score")[rejected.array("label") == label].max()


def test_too_few_is_an_error_unless_the_arm_says_otherwise(tiny_plan, tmp_path):
    what, fix = "round 1: 300 candidates were not enough", "In a new --out, raise max_candidates"
    with pytest.raises(ExhaustedError, match=rf"{what}.*0 kept.*{fix}"):
        run(tiny_plan(**NEVER), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    assert folder.manifest().status == "failed"
    assert "300 candidates" in (folder.manifest().reason or "")
    assert [r.round for r in folder.records()] == [0]


def test_fewer_are_trained_on_when_asked_and_never_without_a_word(tiny_plan, tmp_path):
    few = {**NEVER, "acceptance": {"kind": "threshold", "at": -0.5}, "on_exhausted": "train_with_fewer"}
    folder = run(tiny_plan(**few, rounds=1, schedule={"kind": "constant", "n": 150}), tmp_path / "run")
    record = folder.records()[-1]
    assert record.counts.generated == 300
    assert 0 < record.counts.kept == record.trained_on < 150
    assert record.exhausted
    assert sum(isinstance(e, Exhausted) for e in folder.events()[0]) == 1


def test_an_arm_can_stop_while_the_others_go_on(tiny_plan, tmp_path):
    arms = {"verified": {**NEVER, "on_exhausted": "stop"}, "unverified": None}
    del arms["verified"]["arms"]
    folder = run(tiny_plan(arms=arms), tmp_path / "run")
    assert [r.round for r in folder.records() if r.arm == "verified"] == [0]
    assert [r.round for r in folder.records() if r.arm == "unverified"] == [0, 1, 2, 3]
    assert folder.manifest().status == "finished"
    assert "not enough" in folder.manifest().stopped_arms["verified"]
    events = folder.events()[0]
    assert sum(isinstance(e, ArmStopped) for e in events) == 1
    run(tiny_plan(arms=arms), folder.path, resume="always")
    assert sum(isinstance(e, ArmStopped) for e in folder.events()[0]) == 1, "a stopped arm stays stopped"


def test_resume_modes(tiny_plan, tmp_path):
    with pytest.raises(RunFolderError, match="no run in"):
        run(tiny_plan(), tmp_path / "run", resume="always")
    run(tiny_plan(), tmp_path / "run", resume="if-possible")
    with pytest.raises(RunFolderError, match="already"):
        run(tiny_plan(), tmp_path / "run")
    with pytest.raises(RunFolderError, match=r"rounds: 3 -> 4"):
        run(tiny_plan(rounds=4), tmp_path / "run", resume="if-possible")


def test_a_mistake_in_the_plan_leaves_nothing(tiny_plan, tmp_path):
    with pytest.raises(VeriloopError, match=r"metrics\.rouge"):
        run(tiny_plan(metrics=["rouge"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_without_a_finished_round_may_be_mended_and_run_again(tiny_plan, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise DataError("not today")

    with monkeypatch.context() as patch:
        patch.setattr(TinyLearner, "fit", fail)
        with pytest.raises(DataError, match="not today"):
            run(tiny_plan(), tmp_path / "run")
    assert RunFolder(tmp_path / "run").manifest().status == "failed"
    folder = run(tiny_plan(), tmp_path / "run")
    assert _content(folder) == _content(run(tiny_plan(), tmp_path / "other"))
    assert folder.manifest().config == tiny_plan().config()


def test_a_folder_of_other_files_is_left_alone(tiny_plan, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunFolderError, match="not a run's"):
        run(tiny_plan(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_balance_must_be_a_column_of_the_conditions(tiny_plan, tmp_path):
    with pytest.raises(ConfigError, match=r"arms\.verified\.balance.*label"):
        run(tiny_plan(balance="lable"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_metrics_must_suit_the_data(tiny_plan, tmp_path):
    with pytest.raises(ConfigError, match="metric 'rouge' needs one column of role 'completion'"):
        run(tiny_plan(metrics=["rouge"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_end_is_an_event(tiny_plan, tmp_path):
    heard = []
    folder = run(tiny_plan(), tmp_path / "run", listen=heard.append)
    assert isinstance(heard[-1], RunEnded)
    assert heard[-1].status == "finished"
    assert folder.events()[0][-1] == heard[-1]


def test_preview_counts_and_leaves_nothing(tiny_plan):
    seen = preview(tiny_plan())
    assert seen.arms["verified"].counts.kept == 60
    assert seen.arms["verified"].estimated_candidates == pytest.approx(3 * 600, rel=0.02)
    assert seen.estimated_seconds > 0
    assert seen.estimated_disk_mb > 0


HALF = {
    "verifier": {"kind": f"{TINY}:TinyVerifier", "mode": "decide"},
    "acceptance": "accept_all",
    "arms": ["verified"],
    "balance": None,
}


def test_preview_shows_a_plan_that_runs(tiny_plan, tmp_path):
    plan = tiny_plan(**HALF, schedule={"kind": "constant", "n": 10}, max_candidates=60, rounds=1)
    record = run(plan, tmp_path / "run").records()[-1]
    seen = preview(plan).arms["verified"]
    assert seen.counts == record.counts, "so small a round is tried as it is"
    assert seen.counts.kept == 10
    assert seen.estimated_candidates == record.counts.generated


def test_preview_estimates_within_the_limit_of_candidates(tiny_plan):
    seen = preview(tiny_plan(schedule={"kind": "constant", "n": 5_000}, max_candidates=4_000, rounds=2))
    assert seen.arms["verified"].counts.kept == 200
    assert seen.arms["verified"].estimated_candidates == 2 * 4_000


@pytest.mark.parametrize("limit", [None, 5_000])
def test_preview_of_a_strict_check_is_over_soon(tiny_plan, limit):
    strict = {**HALF, "acceptance": {"kind": "threshold", "at": -0.2}, "verifier": f"{TINY}:TinyVerifier"}
    n = {"kind": "constant", "n": 5_000}
    seen = preview(tiny_plan(**strict, schedule=n, max_candidates=limit, rounds=1)).arms["verified"]
    assert seen.counts.generated == 1_000
    assert 0 < seen.counts.kept < 100
    wanted = 5_000 * 1_000 / seen.counts.kept
    assert seen.estimated_candidates == pytest.approx(limit or wanted, abs=1)


def test_preview_of_a_plan_that_keeps_nothing_says_so_and_why(tiny_plan):
    silent = {**HALF, "verifier": {"kind": f"{TINY}:TinyVerifier", "mode": "decide", "abstain": 1.0}}
    seen = preview(tiny_plan(**silent, schedule={"kind": "constant", "n": 10})).arms["verified"]
    assert seen.counts.kept == 0
    # No more are asked about when nothing was said of the first.
    assert 64 <= seen.counts.abstained == seen.counts.generated < 200
    assert seen.abstentions == {"no reason given": seen.counts.generated}
    assert seen.estimated_seconds > 0


def test_a_steep_rule_has_the_candidates_that_it_needs(tiny_plan):
    verifier = {"kind": f"{TINY}:TinyVerifier", "abstain": 0.3}
    steep = {"kind": "top_fraction", "fraction": 0.05}
    seen = preview(tiny_plan(acceptance=steep, verifier=verifier, arms=["verified"])).arms["verified"]
    assert seen.counts.kept == 60
    assert seen.counts.generated > 1_200


def test_an_arm_with_nothing_ends_and_one_with_a_single_sample_goes_on(tiny_plan, tmp_path):
    one = {"verifier": f"{TINY}:TinyVerifier", "acceptance": {"kind": "top_fraction", "fraction": 1 / 150}}
    arms = {
        "nothing": {**one, "acceptance": NEVER["acceptance"]},
        "single": {**one, "policy": "accumulate"},
        "unverified": {"verifier": None, "acceptance": "accept_all"},
    }
    changes = {"arms": arms, "balance": None, "max_candidates": 200, "on_exhausted": "train_with_fewer"}
    folder = run(tiny_plan(**changes), tmp_path / "run")
    kept = {(r.arm, r.round): r.counts.kept for r in folder.records() if r.round}
    assert kept == {(arm, k): n for arm, n in (("single", 1), ("unverified", 60)) for k in (1, 2, 3)}
    manifest = folder.manifest()
    assert manifest.status == "finished"
    assert "0 accepted, 200 rejected" in manifest.stopped_arms["nothing"]
    stopped = [event for event in folder.events()[0] if isinstance(event, ArmStopped)]
    assert [(event.arm, event.round) for event in stopped] == [("nothing", 1)]
