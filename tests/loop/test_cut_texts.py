"""Texts that were cut at the length limit: counted, learned without an end, and dropped where asked."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.ask.export import export
from veriloop.config import plan_from
from veriloop.generator import CUT, Generator, Notes
from veriloop.learners.base import Learner
from veriloop.loop import run
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder


class Numbers(Generator):
    """Writes a number for each prompt; those from 5 on are cut."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return self.sample_with_notes(n, rng, condition)[0]

    def sample_with_notes(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> tuple[Samples, Notes]:
        assert condition is not None
        numbers = rng.integers(10, size=n)
        return condition.with_columns(completion=[str(i) for i in numbers]), Notes(numbers >= 5)

    def save(self, directory: Path) -> None:
        (directory / "seen.json").write_text(json.dumps(self.seen))

    @classmethod
    def load(cls, directory: Path) -> "Numbers":
        return cls(json.loads((directory / "seen.json").read_text()))


class Reader(Learner, frozen=True):
    """Remembers what it was trained on: a text, and whether it is known to be cut."""

    generator_type = Numbers

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> Numbers:
        cut = samples.array(CUT).tolist() if CUT in samples else [None] * len(samples)
        return Numbers([f"{text} {c}" for text, c in zip(samples.texts("completion"), cut, strict=True)])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"p{i}", "completion": f"c{i}"}) + "\n" for i in range(30)))
    return {
        "rounds": 2,
        "dataset": {"kind": "text", "files": str(path), "held_out": 10, "start": 3},
        "learner": "test_cut_texts:Reader",
        "schedule": {"kind": "constant", "n": 20},
        "chunk_size": 7,
        "metrics": ["text_form"],
        "arms": ["unverified"],
    }


def trained_on(folder: RunFolder, round_: int) -> list[list[str]]:
    directory = folder.round_directory(round_, "unverified") / "generator"
    return [text.split() for text in Numbers.load(directory).seen]


@pytest.mark.parametrize("policy", ["replace", "accumulate", {"kind": "mix", "real_share": 0.2}])
def test_a_learner_knows_which_texts_were_cut(config: dict[str, Any], tmp_path: Path, policy: Any) -> None:
    folder = run(plan_from({**config, "policy": policy}), tmp_path / "run")
    learned: list[list[str]] = []
    for record in folder.records()[1:]:
        learned = trained_on(folder, record.round)
        assert all(cut == str(not text.startswith("c") and int(text) >= 5) for text, cut in learned)
        kept = folder.kept(record.round, "unverified")
        assert record.counts.kept_truncated == int(kept.array(CUT).sum()) > 0
        assert record.counts.truncated >= record.counts.kept_truncated
        shown = Samples.load(folder.round_directory(record.round, "unverified") / "preview.npz")
        share = np.mean([int(text) >= 5 for text in shown.texts("completion")])
        assert record.metrics["truncated"].value == share
    assert len(learned) == {"replace": 20, "accumulate": 43}.get(str(policy), 25)


def test_cut_texts_are_dropped_where_that_is_asked(config: dict[str, Any], tmp_path: Path) -> None:
    plan = plan_from({**config, "drop_truncated": True, "keep_rejected": True})
    folder = run(plan, tmp_path / "run")
    for record in folder.records()[1:]:
        assert all(int(text) < 5 for text in folder.kept(record.round, "unverified").texts("completion"))
        assert record.counts.kept == 20
        assert record.counts.kept_truncated == 0
        assert record.counts.rejected == record.counts.truncated > 0
        others = Samples.load(folder.round_directory(record.round, "unverified") / "rejected.npz")
        cut = [int(text) >= 5 for text in others.texts("completion")]
        assert [reason == "cut at the length limit" for reason in others.texts("_reason")] == cut


def test_an_export_says_which_texts_were_cut(config: dict[str, Any], tmp_path: Path) -> None:
    folder = run(plan_from(config), tmp_path / "run")
    export(folder, 1, "unverified", tmp_path / "kept.jsonl")
    rows = list(map(json.loads, (tmp_path / "kept.jsonl").read_text().splitlines()))
    assert [row["truncated"] for row in rows] == [int(row["completion"]) >= 5 for row in rows]
    assert all(CUT not in row for row in rows)


def test_a_run_that_is_taken_up_again_is_the_same(config: dict[str, Any], tmp_path: Path) -> None:
    whole = run(plan_from({**config, "policy": "accumulate"}), tmp_path / "whole")
    run(plan_from({**config, "policy": "accumulate", "rounds": 1}), tmp_path / "first")
    assert trained_on(RunFolder(tmp_path / "first"), 1) == trained_on(whole, 1)
    kept = whole.kept(2, "unverified")
    assert trained_on(whole, 2)[-20:] == [
        [text, str(cut)] for text, cut in zip(kept.texts("completion"), kept.array(CUT).tolist(), strict=True)
    ]
