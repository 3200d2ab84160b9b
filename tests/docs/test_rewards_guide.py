"""The guide to rewards: its functions score as it says, and its verifiers judge and measure."""

import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from veriloop.metrics.base import Metric
from veriloop.samples import Samples
from veriloop.schema import Completion, Extra, Prompt, Reference, Schema
from veriloop.verdicts import Decision
from veriloop.verifiers.base import Verifier
from veriloop.verifiers.function import FunctionCheck

from ..patience import HOUR
from .blocks import ROOT, blocks_of

GUIDE = ROOT / "docs" / "guide" / "rewards.md"


def blocks(language: str) -> list[str]:
    return [block.code for block in blocks_of(GUIDE) if block.language == language]


SAMPLES = Samples(
    prompt=["2 + 2?"] * 3,
    completion=["4", "5", "four words of text"],
    solution=["4"] * 3,
    reference=["4"] * 3,
    data_source=["sums"] * 3,
    ground_truth=["4"] * 3,
    tests=["assert True"] * 3,
)
SCHEMA = Schema(
    {"prompt": Prompt(), "completion": Completion(), "reference": Reference()}
    | {name: Extra() for name in ("solution", "data_source", "ground_truth", "tests")}
)


@pytest.fixture
def guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (code,) = blocks("python")
    (tmp_path / "my_rewards.py").write_text(code)
    (tmp_path / "schema.json").write_text('{"type": "integer"}')
    (tmp_path / "judge.py").write_text("import sys; sys.exit(open(sys.argv[1]).read() != '4')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:/usr/bin:/bin")
    yield tmp_path
    sys.modules.pop("my_rewards", None)


def test_its_functions_score_as_they_say(guide: Path) -> None:
    scores = {}
    for name in ("right", "brief", "compute_score", "is_right"):
        check = FunctionCheck(function=f"my_rewards:{name}", timeout=HOUR).suited_to(SCHEMA)
        scores[name] = check.verify(SAMPLES, np.random.default_rng(0)).score.tolist()
    right = [1.0, 0.0, 0.0]
    brief = [-0.01, -0.01, -0.04]
    assert scores == {"right": right, "brief": brief, "compute_score": right, "is_right": right}


def test_what_validate_says_is_as_printed(guide: Path) -> None:
    (line,) = blocks("text")
    (note,) = FunctionCheck(function="my_rewards:right").suited_to(SCHEMA).check_ahead(SCHEMA)
    assert line.strip() == f"arms.verified.verifier: {note}"


@pytest.mark.parametrize("number", range(len(blocks("yaml"))))
def test_its_verifiers_judge_and_measure(number: int, guide: Path) -> None:
    settings = yaml.safe_load(blocks("yaml")[number])["verifier"]
    verifier = Verifier.model_validate({**settings, "timeout": HOUR}).suited_to(SCHEMA)
    verifier.check_ahead(SCHEMA)
    verdicts = verifier.verify(SAMPLES, np.random.default_rng(0))
    assert verdicts.count(Decision.ABSTAIN) == 0
    assert Metric.model_validate(settings).kind == settings["kind"]
    if verifier.kind in ("math", "json_schema", "command"):
        assert verdicts.decision.tolist()[0] == Decision.ACCEPT
        assert verdicts.decision.tolist()[-1] == Decision.REJECT
