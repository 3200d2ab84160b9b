"""The faults of judges' servers in the shared cases, asked by the verifier itself."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.samples import Samples
from veriloop.verdicts import Decision
from veriloop.verifiers.llm_judge import LLMJudge


@pytest.mark.parametrize(("mode", "requests"), [("good", 9), ("no-schema", 11), ("think", 9), ("after", 9)])
def test_every_sample_has_its_score(mode: str, requests: int, fake: Any, tmp_path: Path) -> None:
    server = fake(mode)
    judge = LLMJudge(url=server.url, model="m", rubric="Is {{ x }} fine?", retries=1, backoff=0.01)
    verdicts = judge.verify(Samples(x=np.arange(9.0)), np.random.default_rng(0))
    assert verdicts.score.tolist() == [1.0] * 9
    assert verdicts.count(Decision.OPEN) == 9
    assert verdicts.reason == ["fine"] * 9
    assert int(server.count.read_text()) == requests
