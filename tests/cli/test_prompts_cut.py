"""Prompts that are too long are counted where people look: before the run, while it runs, and after it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.generator import Generator
from veriloop.samples import Samples
from veriloop.testing.language import save_tiny_language
from veriloop.testing.tiny import TinyGenerator, TinyLearner

LINE = "2 of 3 prompts are too long and are cut"


class CuttingGenerator(TinyGenerator):
    """Finds all but the first condition too long."""

    def cut(self, condition: Samples) -> NDArray[np.bool_]:
        return condition.array("label") > 0


class Cutting(TinyLearner, frozen=True):
    """Learns a generator that cuts."""

    generator_type: ClassVar[type[Generator]] = CuttingGenerator

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> CuttingGenerator:
        learned = super().fit(samples, init, rng)
        return CuttingGenerator(learned.mean, learned.spread)


def test_what_is_cut_is_said(
    veriloop: Callable[..., Any], config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    cutting = ("--set", "learner=test_prompts_cut:Cutting")
    assert LINE in veriloop("preview", config, *cutting).out.splitlines()
    called = veriloop("run", config, "--out", tmp_path / "run", *cutting)
    assert called.err.splitlines().count(LINE) == 1
    assert called.out.splitlines().count(LINE) == 1
    assert "too long" not in veriloop("preview", config).out


def test_rows_on_two_sides_are_told(veriloop: Callable[..., Any], tmp_path: Path) -> None:
    class_rows = [{"prompt": f"{i % 12} + 1 =", "completion": f"{i % 12 + 1}"} for i in range(36)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in class_rows))
    (tmp_path / "held.jsonl").write_text("".join(json.dumps(row) + "\n" for row in class_rows[:3]))
    save_tiny_language(tmp_path / "model", [json.dumps(class_rows)])
    plan = {
        "rounds": 1,
        "dataset": {
            "kind": "text",
            "files": str(tmp_path / "train.jsonl"),
            "held_out": str(tmp_path / "held.jsonl"),
            "start": 0,
        },
        "learner": {
            "kind": "causal_lm",
            "model": str(tmp_path / "model"),
            "prompt": {"max_tokens": 40},
            "decoding": {"max_new_tokens": 2},
        },
        "schedule": {"kind": "constant", "n": 4},
        "arms": ["unverified"],
    }
    (tmp_path / "plan.yaml").write_text(json.dumps(plan))
    line = "rows left out because an equal row is in another split: 9 of train"
    seen = veriloop("preview", tmp_path / "plan.yaml")
    assert line in seen.out, seen.err
    done = veriloop("run", tmp_path / "plan.yaml", "--out", tmp_path / "run", "--plain")
    assert line in done.out, done.err
    events = (tmp_path / "run" / "events.jsonl").read_text()
    assert '"event":"duplicates_left_out"' in events
