"""Runs that leave nothing on disk: the same records and bits, and only what is asked for is held."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.errors import ConfigError, ExhaustedError, RunFolderError
from veriloop.events import RoundFinished, RunEnded
from veriloop.loop import MemoryRun, load_state, run
from veriloop.samples import Samples, concat
from veriloop.testing.tiny import TinyJudge, TinyVerifier
from veriloop.verifiers.base import AwaitingVerdicts

TINY = "veriloop.testing.tiny"
POLICIES = ["replace", "accumulate", {"kind": "accumulate_subsample", "size": 70}, {"kind": "mix"}]
LABELS = Samples(label=np.arange(30) % 3)


def same_models(one, other) -> bool:
    draws = [model.sample(30, np.random.default_rng(0), LABELS) for model in (one, other)]
    return draws[0].same_as(draws[1])


def without_seconds(records):
    return [record.model_copy(update={"seconds": {}}) for record in records]


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@pytest.mark.parametrize(
    "spread",
    [{}, {"executor": {"kind": "process", "workers": 2}}],
    ids=["serial", "processes"],
)
def test_it_is_the_run_in_a_folder(policy, spread, tiny_plan, tmp_path, monkeypatch):
    plan = tiny_plan(policy=policy, warm_start=True)
    folder = run(plan, tmp_path / "run")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    memory = run(tiny_plan(policy=policy, warm_start=True, **spread), MemoryRun(every_round=True))
    assert not list((tmp_path / "empty").iterdir())
    assert without_seconds(memory.records()) == without_seconds(folder.records())
    for arm in ("verified", "unverified"):
        for round_ in range(4):
            state = load_state(plan, folder, arm, round_)
            assert same_models(memory.model(arm, round_), state.generator)
            assert (memory.judge(arm, round_) is None) == (state.judge is None)
            if round_:
                assert memory.kept(round_, arm).same_as(folder.kept(round_, arm))
                both = (where.kept_with_provenance(round_, arm) for where in (memory, folder))
                assert next(both).same_as(next(both))
    of_memory, of_folder = memory.manifest(), folder.manifest()
    assert of_memory.status == of_folder.status == "finished"
    assert of_folder.config == plan.config()


def test_none_holds_the_last_round_alone(tiny_plan):
    memory = run(tiny_plan(), None)
    assert len(memory.kept(3, "verified")) == 60
    assert memory.judge("verified") is not None
    assert memory.judge("unverified") is None
    assert same_models(memory.model("verified"), memory.model("verified", 3))
    for ask in (lambda: memory.model("verified", 2), lambda: memory.kept(2, "verified")):
        with pytest.raises(
            ConfigError, match=r"round 2 of arm 'verified' is not in memory.*every_round=True"
        ):
            ask()
    with pytest.raises(ConfigError, match="round 1 of arm 'all_real' kept no samples"):
        memory.kept(1, "all_real")
    with pytest.raises(ConfigError, match="arm 'nobody' is not in memory"):
        memory.model("nobody")


def test_a_policy_that_looks_back_has_what_it_looks_at(tiny_plan):
    memory = run(tiny_plan(policy="accumulate"), None)
    sizes = [r.trained_on for r in memory.records() if r.arm == "verified"]
    assert sizes == [30, 90, 150, 210]
    assert len(concat([memory.kept(k, "verified") for k in (1, 2, 3)])) == 180


def test_listeners_are_told(tiny_plan):
    heard = []
    run(tiny_plan(), None, listen=heard.append)
    assert sum(isinstance(event, RoundFinished) for event in heard) == 10
    assert isinstance(heard[-1], RunEnded)


def test_stop_rules_and_arms_that_end(tiny_plan):
    budget = {"when": "budget", "candidates": 1_300}
    memory = run(tiny_plan(stop=budget), None)
    assert [r.round for r in memory.records() if r.arm == "verified"] == [0, 1, 2]
    assert "1,200 of 1,300 candidates" in memory.manifest().stopped_arms["verified"]


def test_a_failed_round_leaves_the_finished_ones(tiny_plan):
    plan = tiny_plan(
        schedule={"kind": "linear", "start": 60, "step": 100},
        arms=["verified"],
        max_candidates=700,
        acceptance={"kind": "top_fraction", "fraction": 0.1},
    )
    memory = MemoryRun()
    with pytest.raises(ExhaustedError):
        run(plan, memory)
    assert [r.round for r in memory.records()] == [0, 1]
    assert memory.manifest().status == "failed"


class Absent(TinyVerifier, frozen=True):
    """Waits for people until the file ``there`` exists, and counts how often it asked."""

    there: Path
    asked: Path

    def fit(self, *args: Any, **kwargs: Any) -> TinyJudge:
        if not self.there.exists():
            raise AwaitingVerdicts(3, "a test", [self.asked.touch])
        return super().fit(*args, **kwargs)


def test_a_run_that_waits_for_people_says_so_and_goes_on(tiny_plan, tmp_path):
    files = {"there": tmp_path / "there", "asked": tmp_path / "asked"}
    plan = tiny_plan(verifier={"kind": f"{__name__}:Absent", **{k: str(v) for k, v in files.items()}})
    memory = MemoryRun()
    with pytest.raises(AwaitingVerdicts, match="3 samples, in a test"):
        run(plan, memory)
    assert files["asked"].exists()
    assert memory.manifest().status == "waiting"
    files["there"].touch()
    run(plan, memory, resume="always")
    at_once = run(plan, None)
    assert memory.manifest().status == at_once.manifest().status == "finished"
    assert memory.kept(3, "verified").same_as(at_once.kept(3, "verified"))
    assert {(r.arm, r.round) for r in memory.records()} == {(r.arm, r.round) for r in at_once.records()}


def test_resume_modes(tiny_plan):
    memory = MemoryRun()
    with pytest.raises(RunFolderError, match="no run in this memory"):
        run(tiny_plan(), memory, resume="always")
    with pytest.raises(RunFolderError, match="has not started"):
        memory.manifest()
    assert run(tiny_plan(), memory) is memory
    with pytest.raises(RunFolderError, match="already"):
        run(tiny_plan(), memory)
    with pytest.raises(RunFolderError, match="another configuration"):
        run(tiny_plan(rounds=4), memory, resume="always")
    run(tiny_plan(), memory, resume="always")
    assert len(memory.records()) == 10
