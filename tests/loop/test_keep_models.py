"""Which rounds' models stay: all, the last ones, or these and the best ones."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError, RunFolderError
from veriloop.loop import Plan, run
from veriloop.loop.previews import preview
from veriloop.loop.stores import load_state
from veriloop.quantity import Quantity
from veriloop.store.folder import RunFolder
from veriloop.store.verify import verify
from veriloop.testing.tiny import TinyMetric

TINY = "veriloop.testing.tiny"


def plan(**changes: Any) -> Plan:
    settings = {
        "rounds": 6,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": f"{TINY}:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.3},
        "schedule": {"kind": "constant", "n": 30},
        "balance": "label",
        "arms": ["verified", "unverified"],
        "metrics": [f"{TINY}:TinyMetric"],
        "evaluation_samples": 60,
        "keep_models": "best",
    }
    return plan_from({**settings, **changes})


def with_models(folder: RunFolder) -> dict[str, list[int]]:
    """The rounds of which the folder holds models, by arm."""
    places = [p.parent.relative_to(folder.path).parts for p in folder.path.glob("round_*/*/generator")]
    return {
        arm: sorted(int(r.removeprefix("round_")) for r, a in places if a == arm) for _, arm in sorted(places)
    }


def expected(folder: RunFolder) -> dict[str, list[int]]:
    """The start, the round from 1 on with the least gap on the validation split, and the last."""
    gaps: dict[str, dict[int, float]] = {}
    for record in folder.records():
        gaps.setdefault(record.arm, {})[record.round] = record.validation["gap"].value
    best = {arm: min(list(by_round)[1:], key=by_round.__getitem__) for arm, by_round in gaps.items()}
    return {arm: sorted({0, best[arm], max(gaps[arm])}) for arm in sorted(gaps)}


@pytest.mark.parametrize("seed", range(4))
def test_the_best_and_the_last_stay(seed: int, tmp_path: Path) -> None:
    folder = run(plan(seed=seed), tmp_path / "run")
    assert with_models(folder) == expected(folder)
    assert verify(folder).differ == {}
    everything = run(plan(seed=seed, keep_models="all"), tmp_path / "all")
    for arm, kept in with_models(folder).items():
        for round_ in kept:
            theirs, ours = (load_state(plan(seed=seed), f, arm, round_) for f in (everything, folder))
            assert theirs.generator.digest() == ours.generator.digest()
    numbers = [[r.model_dump_json(exclude={"seconds"}) for r in f.records()] for f in (everything, folder)]
    assert numbers[0] == numbers[1], "what is kept changes no number"


def test_a_best_round_in_the_middle_is_among_the_seeds_above(tmp_path: Path) -> None:
    """Else the test above would say no more than that the last one stays."""
    runs = [run(plan(seed=seed), tmp_path / f"{seed}") for seed in range(4)]
    assert 3 in {len(kept) for folder in runs for kept in expected(folder).values()}


def test_of_many_rounds_and_two_arms_three_models_stay(tmp_path: Path) -> None:
    weights, most = tmp_path / "run", 0

    def models(event: object) -> None:
        nonlocal most
        # Files of the start model are one, by whichever arm they are found.
        most = max(most, len({path.stat().st_ino for path in weights.rglob("generator/model.safetensors")}))

    long = plan(rounds=15, keep_models="last")
    folder = run(long, weights, listen=models)
    assert with_models(folder) == {"unverified": [0, 15], "verified": [0, 15]}
    models(None)
    assert len({path.stat().st_ino for path in weights.rglob("generator/model.safetensors")}) == 3
    assert most <= 4, "the three, and one that is written before an old one goes"
    size = sum(path.stat().st_size for path in (weights / "round_15/verified/generator").iterdir()) / 1e6
    estimate = preview(long)
    kept = sum(
        (weights / f"round_{k}/{arm}/kept.npz").stat().st_size for k in range(1, 16) for arm in long.arms
    )
    assert 4 * size <= estimate.estimated_disk_mb <= 4 * size + 3 * kept / 1e6


def test_what_is_not_kept_is_named_with_what_is(tmp_path: Path) -> None:
    folder = run(plan(), tmp_path / "run")
    kept = with_models(folder)["verified"]
    gone = next(k for k in range(7) if k not in kept)
    others = " or ".join(map(str, kept))
    with pytest.raises(RunFolderError, match=rf"models of round {gone} .*'best'.*round {others}"):
        load_state(plan(), folder, "verified", gone)


def test_a_model_that_is_to_be_kept_and_is_gone_is_found_by_verify(tmp_path: Path) -> None:
    folder = run(plan(), tmp_path / "run")
    round_ = expected(folder)["verified"][1]
    next((folder.round_directory(round_, "verified") / "generator").iterdir()).unlink()
    assert [name for name in verify(folder).differ if f"round_{round_}/verified/generator" in name]


class Aimless(TinyMetric, frozen=True):
    quantities: ClassVar[Mapping[str, Quantity]] = {"gap": Quantity()}


@pytest.mark.parametrize("metrics", [[], [Aimless()]])
def test_without_a_direction_no_round_is_best(metrics: list[TinyMetric]) -> None:
    with pytest.raises(ConfigError, match="keep_models 'best' needs a metric with a better direction"):
        plan(metrics=metrics)


RUN = """
import json, os, signal, sys
from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.store.folder import RunFolder

commits, at, before = 0, int(sys.argv[3]), RunFolder.remove_models

def dying(self, round_, arm):
    global commits
    commits += 1
    if commits == at:
        os.kill(os.getpid(), signal.SIGKILL)
    before(self, round_, arm)

RunFolder.remove_models = dying
run(plan_from(json.loads(sys.argv[1])), sys.argv[2], resume="if-possible")
"""


def test_killed_before_models_are_removed_and_resumed_the_same_ones_stay(tmp_path: Path) -> None:
    whole = run(plan(seed=1), tmp_path / "whole")
    config, folder = json.dumps(plan(seed=1).config()), tmp_path / "killed"
    codes = []
    for at in (2, 3, 1, 10_000):
        command = [sys.executable, "-c", RUN, config, str(folder), str(at)]
        codes.append(subprocess.run(command, check=False).returncode)
    assert codes == [-signal.SIGKILL] * 3 + [0]
    assert with_models(RunFolder(folder)) == with_models(whole)
    files = [
        {p.relative_to(root): p.read_bytes() for p in root.glob("round_*/**/*") if p.is_file()}
        for root in (whole.path, folder)
    ]
    assert files[0] == files[1]
    assert verify(RunFolder(folder)).differ == {}
