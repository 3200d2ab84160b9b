"""Prompts that are too long are counted where people look: before the run, while it runs, and after it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from veriloop.generator import Generator
from veriloop.samples import Samples
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
