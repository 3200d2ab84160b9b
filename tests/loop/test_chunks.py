"""Rounds that survive in the middle: what is stored of them, and what a kill costs."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError, RunFolderError
from veriloop.events import ChunkStored
from veriloop.loop import gather as gathering
from veriloop.loop import load_state, run
from veriloop.rules.acceptance import Pointwise, Threshold, TopFraction
from veriloop.samples import Samples
from veriloop.store.chunks import UNDER_WAY
from veriloop.store.verify import verify
from veriloop.verdicts import Decision

CHUNKS = 20


def content(folder):
    """All that must be equal between equal runs."""
    records = [json.loads(line) for line in (folder.path / "records.jsonl").read_text().splitlines()]
    files = folder.path.glob("round_*/**/*")
    return [{**record, "seconds": None} for record in records], {
        p.relative_to(folder.path).as_posix(): p.read_bytes() for p in files if p.is_file()
    }


def chunks_stored(folder):
    return [(e.arm, e.round, e.chunk) for e in folder.events()[0] if isinstance(e, ChunkStored)]


class LeftHalf(Pointwise, frozen=True):
    """A plug-in's rule, which looks at the candidates and draws lots."""

    def decide(self, verdicts, samples, rng):
        return verdicts.decide((samples.array("x")[:, 0] < 2) & (rng.random(len(samples)) < 0.5))


RULES = {
    "top_fraction": {"kind": "top_fraction", "fraction": 0.05},
    "threshold": {"kind": "threshold", "at": -0.5},
    "cells": {"kind": "top_of_cells", "fraction": 0.05, "cells": 3},
    "stranger": f"{__name__}:LeftHalf",
}


@pytest.fixture
def many(tiny_config):
    """Two arms, of which one makes many chunks in each round."""
    return lambda rule="top_fraction", **changes: plan_from(
        {
            **tiny_config,
            "rounds": 2,
            "arms": ["verified", "unverified"],
            "acceptance": RULES[rule],
            "schedule": {"kind": "constant", "n": 90},
            "chunk_size": 90,
            **changes,
        }
    )


class Killed(BaseException):
    pass


@pytest.fixture
def dies(monkeypatch):
    """Let a run die when it makes chunk ``number`` of a round, and count the chunks that are made."""
    made = []
    make = gathering._make_and_judge

    def after(number):
        def wrapper(candidates, chunk):
            place = (candidates.arm, candidates.address.round, chunk.number)
            if chunk.number == number and place[0] == "verified" and place[1] == 2:
                raise Killed
            made.append(place)
            return make(candidates, chunk)

        monkeypatch.setattr(gathering, "_make_and_judge", wrapper)
        return made

    return after


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("changes", [{}, {"keep_rejected": True}, {"keep_candidates": True}])
def test_a_round_goes_on_from_its_finished_chunks(many, tmp_path, dies, rule, changes):
    plan = many(rule, **changes)
    whole = run(plan, tmp_path / "whole")
    last = max(chunk for arm, k, chunk in chunks_stored(whole) if (arm, k) == ("verified", 2))
    made = dies(last)
    with pytest.raises(Killed):
        run(plan, tmp_path / "broken")
    first = [place for place in made if place[:2] == ("verified", 2)]
    assert [chunk for *_, chunk in first] == list(range(last))
    (under_way,) = (tmp_path / "broken").glob(f"round_2/*{UNDER_WAY}")
    assert len(list(under_way.iterdir())) == last
    made.clear()
    dies(None)
    broken = run(plan, tmp_path / "broken", resume="always")
    again = [place for place in made if place[:2] == ("verified", 2)]
    assert again == [("verified", 2, last)], "every other chunk was on disk"
    assert content(broken) == content(whole)
    assert verify(broken).differ == {}
    assert not list(broken.path.rglob(f"*{UNDER_WAY}"))


def test_only_what_can_be_kept_is_stored(many, tmp_path, dies):
    dies(19)
    with pytest.raises(Killed):
        run(many(), tmp_path / "run")
    from veriloop.loop.chunks import read

    stored = [read(p) for p in sorted((tmp_path / "run").glob(f"round_2/*{UNDER_WAY}/*"))]
    assert all(len(s.verdicts) == 90 for s in stored)
    assert len(stored[0].samples) == 90, "the first is whole, for examples"
    sizes = [len(s.samples) for s in stored]
    # The n-th chunk of equals has n_kept / n of the best so far, apart from what sorting put off lets in.
    assert sum(sizes[10:]) < 10 * 90 / 4
    assert all(set(s.rows) <= set(range(90)) for s in stored)


@pytest.mark.parametrize("damage", ["flip", "cut", "lose", "other configuration", "garbage"])
def test_a_chunk_that_is_not_what_was_stored_is_made_again(many, tmp_path, dies, damage):
    whole = run(many(), tmp_path / "whole")
    dies(5)
    with pytest.raises(Killed):
        run(many(), tmp_path / "broken")
    files = sorted((tmp_path / "broken").glob(f"round_2/*{UNDER_WAY}/*"))
    if damage == "flip":
        text = bytearray(files[2].read_bytes())
        text[len(text) // 2] ^= 4
        files[2].write_bytes(bytes(text))
        assert set(verify(whole.open(tmp_path / "broken")).differ) == {
            files[2].relative_to(tmp_path / "broken").as_posix()
        }
    elif damage == "cut":
        files[2].write_bytes(files[2].read_bytes()[:50])
    elif damage == "lose":
        files[2].unlink()
    elif damage == "garbage":
        (files[0].parent / ".chunk_000007.123").write_bytes(b"x")
    else:
        for file in files:
            number, _, digest = file.name.split("-")
            file.rename(file.with_name(f"{number}-{'0' * 16}-{digest}"))
    made = dies(None)
    broken = run(many(), tmp_path / "broken", resume="always")
    again = {chunk for arm, k, chunk in made[-200:] if (arm, k) == ("verified", 2)}
    assert content(broken) == content(whole)
    if damage in ("flip", "cut", "lose"):
        assert 2 in again
    assert verify(broken).differ == {}


def test_a_round_of_one_chunk_stores_none(many, tmp_path):
    folder = run(many(chunk_size=10_000), tmp_path / "run")
    assert chunks_stored(folder) == []


def test_the_event_tells_of_each_chunk(many, tmp_path):
    folder = run(many(), tmp_path / "run")
    assert [c for arm, k, c in chunks_stored(folder) if (arm, k) == ("verified", 1)] == list(range(CHUNKS))
    assert [place for place in chunks_stored(folder) if place[0] == "unverified"] == []


@pytest.mark.parametrize("executor", ["serial", {"kind": "process", "workers": 2}])
def test_all_candidates_are_kept_on_request(many, tmp_path, executor):
    plan = many(keep_candidates=True, keep_rejected=True, executor=executor, parallel="chunks")
    folder = run(plan, tmp_path / "run")
    directory = folder.round_directory(1, "verified")
    chunks = [Samples.load(p) for p in sorted((directory / "candidates").iterdir())]
    assert [len(c) for c in chunks] == [90] * CHUNKS
    kept, rejected = folder.kept_with_provenance(1, "verified"), Samples.load(directory / "rejected.npz")
    assert sum(map(len, chunks)) == len(kept) + len(rejected)
    for row in (0, 7, 50):
        chunk = chunks[int(kept["_chunk"][row])]
        at = int(kept["_row"][row])
        assert np.array_equal(chunk["x"][at], kept["x"][row])
        assert chunk["_score"][at] == kept["_score"][row]
        assert chunk["_decision"][at] == Decision.OPEN
    assert verify(folder).differ == {}


def test_the_executor_does_not_matter(many, tmp_path):
    one = run(many("threshold"), tmp_path / "one")
    two = run(
        many("threshold", executor={"kind": "process", "workers": 2}, parallel="chunks"), tmp_path / "two"
    )
    assert content(one) == content(two)


def test_models_of_the_last_round_only(many, tmp_path):
    plan = many(keep_models="last", rounds=3)
    folder = run(plan, tmp_path / "run")
    kept = sorted(p.parent.relative_to(folder.path).as_posix() for p in folder.path.rglob("generator"))
    assert kept == ["round_0/unverified", "round_0/verified", "round_3/unverified", "round_3/verified"]
    assert verify(folder).differ == {}
    assert load_state(plan, folder, "verified", 3).round == 3
    with pytest.raises(RunFolderError, match=r"models of round 2 of arm 'verified' are not kept"):
        load_state(plan, folder, "verified", 2)
    everything = run(many(rounds=3), tmp_path / "all")
    assert [r.metrics for r in everything.records()] == [r.metrics for r in folder.records()]
    with pytest.raises(ConfigError):
        many(keep_models="some")


def test_the_start_model_is_on_disk_once(many, tmp_path):
    folder = run(many(), tmp_path / "run")
    one, other = (folder.round_directory(0, arm) / "generator/model.safetensors" for arm in many().arms)
    assert one.samefile(other)


def test_a_subclass_of_our_rules_is_shown_the_candidates():
    class Looks(TopFraction, frozen=True):
        pass

    assert not vars(Threshold)["reads_samples"]
    assert vars(Looks).get("reads_samples", True)


RUN = """
import os, signal, sys
from pathlib import Path
from veriloop.config import plan_from
from veriloop.loop import run, gather
import json
make, log, at = gather._make_and_judge, Path(sys.argv[3]), int(sys.argv[4])

def counted(candidates, chunk):
    with log.open("a") as file:
        print(candidates.address.round, chunk.number, file=file)
    if candidates.address.round == 2 and chunk.number == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return make(candidates, chunk)

gather._make_and_judge = counted
run(plan_from(json.loads(sys.argv[1])), sys.argv[2], resume="if-possible")
"""


def test_kill_9_in_the_middle_of_twenty_chunks_costs_one(many, tmp_path):
    plan = many(arms=["verified"])
    whole = run(plan, tmp_path / "whole")
    config, log, folder = json.dumps(plan.config()), tmp_path / "log", tmp_path / "killed"
    for at in (7, 8, 19, -1):
        done = subprocess.run([sys.executable, "-c", RUN, config, folder, log, str(at)], cwd=Path.cwd())
        assert done.returncode == (-signal.SIGKILL if at >= 0 else 0)
    made = [line for line in log.read_text().splitlines() if line.startswith("2 ")]
    assert len(made) == CHUNKS + 3, "one again for each kill"
    assert content(whole.open(folder)) == content(whole)
    assert [path.name for path in (folder / "round_2").iterdir()] == ["verified"]
