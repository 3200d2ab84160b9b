"""pass@k by any verifier: the same numbers as by a check, and what cannot be measured so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.generator import Generator
from veriloop.loop.check import checked
from veriloop.metrics.base import Evaluation
from veriloop.metrics.pass_at import SHARES
from veriloop.metrics.solved import Solved
from veriloop.samples import Samples
from veriloop.testing import check_metric
from veriloop.testing.language import save_tiny_language
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier


class Opinion(Verifier, frozen=True):
    """Accepts "right", rejects "wrong", abstains on "?", and leaves numbers to others."""

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        texts = samples.texts("completion")
        said = {"right": Decision.ACCEPT, "wrong": Decision.REJECT, "?": Decision.ABSTAIN}
        score = [float(text) if text not in said else np.nan for text in texts]
        return Verdicts(score, [said.get(text, Decision.OPEN) for text in texts])


OPINION = f"{__name__}:Opinion"


class Writes(Generator):
    """Writes these texts, one after the other."""

    def __init__(self, *texts: str) -> None:
        self.texts = texts

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        start = int(rng.integers(len(self.texts))) if n % len(self.texts) else 0
        texts = [self.texts[(start + i) % len(self.texts)] for i in range(n)]
        return condition.with_columns(completion=texts)

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "Writes":
        return cls("right")


def evaluation(*texts: str, prompts: int = 6, **more: Any) -> Evaluation:
    asked = Samples(prompt=[f"{i}?" for i in range(prompts)])
    made = asked.with_columns(completion=["right"] * prompts)
    return Evaluation(Writes(*texts), made, made, **more)


def test_what_it_accepts_is_solved_and_an_open_text_from_a_score_on() -> None:
    tried = evaluation("right", "wrong", "?", "0.7")
    for at, accepted in ((0.5, 2), (0.8, 1)):
        metric = Solved(verifier=Opinion(), k=(1, 4), solved_at=at)
        measured = metric.measure(tried, np.random.default_rng(0))
        assert set(measured) == set(metric.quantities) == {"pass@1", "pass@4", *SHARES}
        assert measured["pass@1"].value == accepted / 4
        assert measured["pass@4"].value == measured["solved_both"].value == 1


def test_keeps_the_contract() -> None:
    metric = Solved(verifier=Opinion(), k=(1, 3), samples_per_prompt=5, name="mine")
    assert list(metric.quantities)[:2] == ["mine_pass@1", "mine_pass@3"]
    check_metric(metric, evaluation("right", "wrong", "0.2", prompts=12))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": [8], "samples_per_prompt": 4}, "samples_per_prompt: got 4, expected at least 8"),
        ({"k": [2, 2]}, "k: a number twice"),
        ({"k": []}, "k"),
        (
            {"verifier": "veriloop.testing.tiny:TinyVerifier"},
            "ready as it is configured.*TinyVerifier.*fitted",
        ),
        ({"verifier": {"kind": "human", "store": "sqlite:///x.db"}}, "cannot ask people"),
    ],
)
def test_what_cannot_be_measured_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Solved.model_validate({"verifier": OPINION, **settings})


def test_in_a_plan_the_verifier_meets_the_data_and_texts_have_to_differ(
    tmp_path: Path,
) -> None:
    (tmp_path / "model").mkdir()
    save_tiny_language(tmp_path / "model", ["1 + 1 = 2", "30 + 9 = 39"])
    (tmp_path / "sums.jsonl").write_text(
        "\n".join(f'{{"question": "{i} + 1 =", "answer": "{i + 1}"}}' for i in range(40))
    )
    config: dict[str, Any] = {
        "rounds": 1,
        "dataset": {"kind": "text", "files": str(tmp_path / "sums.jsonl"), "start": 0},
        "learner": {
            "kind": "causal_lm",
            "model": str(tmp_path / "model"),
            "prompt": {"max_tokens": 24},
            "decoding": {"temperature": 1.0, "max_new_tokens": 4},
        },
        "verifier": {"kind": "regex", "pattern": "[0-9]+"},
        "schedule": {"kind": "constant", "n": 4},
        "metrics": [{"kind": "pass_at", "verifier": {"kind": "regex", "pattern": "[0-9]+"}, "k": [1, 2]}],
        "arms": ["verified"],
    }
    (metric,) = checked(plan_from(config)).plan.metrics
    assert isinstance(metric, Solved)
    assert metric.column == "answer"
    config["learner"]["decoding"] = {"max_new_tokens": 4}
    with pytest.raises(ConfigError, match="temperature"):
        checked(plan_from(config))
    config["learner"]["decoding"] = {"temperature": 1.0, "max_new_tokens": 4}
    config["metrics"] = [{"kind": "pass_at", "verifier": {"kind": "math", "reference": "result"}}]
    with pytest.raises(ConfigError, match=r"metrics.*result"):
        checked(plan_from(config))
