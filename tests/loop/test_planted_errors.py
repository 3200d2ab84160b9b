"""A check with planted errors in a real loop: the sign of J decides whether retraining helps or harms."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from veriloop.advise.calibration import calibrate
from veriloop.config import plan_from
from veriloop.generator import Generator
from veriloop.learners.base import Learner
from veriloop.loop import run
from veriloop.samples import Samples
from veriloop.verifiers.function import FunctionCheck

ROUNDS, KEPT, START = 3, 2_000, 0.5


class WorkerGenerator(Generator):
    """Solves sums; ``skill`` is the share that it gets right. Each answer comes with its own word."""

    def __init__(self, skill: float) -> None:
        self.skill = skill

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        wrong = rng.random(n) >= self.skill
        answers = condition.array("answer") + wrong * rng.integers(1, 50, size=n)
        drafts = rng.integers(2**40, size=n)
        return condition.with_columns(
            completion=[f"{a} draft {d}" for a, d in zip(answers, drafts, strict=True)]
        )

    def save(self, directory: Path) -> None:
        (directory / "skill.json").write_text(json.dumps(self.skill))

    @classmethod
    def load(cls, directory: Path) -> "WorkerGenerator":
        return cls(json.loads((directory / "skill.json").read_text()))


class Worker(Learner, frozen=True):
    """Becomes as good as what it is shown: the share of right answers among them."""

    generator_type = WorkerGenerator

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> WorkerGenerator:
        if not len(samples):
            return WorkerGenerator(START)
        return WorkerGenerator(float(np.mean(is_right(samples))))


def is_right(samples: Samples) -> np.ndarray:
    texts, answers = samples.texts("completion"), samples.array("answer")
    return np.array([int(text.split()[0]) == answer for text, answer in zip(texts, answers, strict=True)])


CHECKS = """
from zlib import crc32

def is_right(row):
    return int(row["completion"].split()[0]) == row["answer"]

def errs(row, of_good, of_bad):
    rate = of_good if is_right(row) else of_bad
    return is_right(row) != (crc32(row["completion"].encode()) < rate * 2**32)
"""

PLANTED = {
    "better_than_a_coin": (0.3, 0.4),
    "a_coin": (0.35, 0.65),
    "worse_than_a_coin": (0.6, 0.55),
}
"""Shares of flipped verdicts on right and on wrong answers."""


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.syspath_prepend(str(tmp_path))
    checks = CHECKS + "".join(
        f"\n\ndef {name}(row):\n    return errs(row, {g}, {b})\n" for name, (g, b) in PLANTED.items()
    )
    (tmp_path / "planted.py").write_text(checks)
    rows = [{"question": f"{i} + {i} =", "answer": 2 * i} for i in range(40)]
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    columns = {"prompt": "question", "completion": None, "keep": ["answer"]}

    def made(verifier: str) -> Any:
        return plan_from(
            {
                "rounds": ROUNDS,
                "dataset": {
                    "kind": "text",
                    "files": str(path),
                    "held_out": 4,
                    "columns": columns,
                    "start": 0,
                },
                "learner": "test_planted_errors:Worker",
                "verifier": {"kind": "function", "function": f"planted:{verifier}"},
                "schedule": {"kind": "constant", "n": KEPT},
                "metrics": ["text_form"],
                "arms": ["verified"],
            }
        )

    return made


@pytest.mark.parametrize("name", PLANTED)
def test_the_sign_of_j_is_the_sign_of_the_change(name: str, plan: Any, tmp_path: Path) -> None:
    of_good, of_bad = PLANTED[name]
    folder = run(plan(name), tmp_path / "run")
    skills = [START]
    for round_ in range(1, ROUNDS + 1):
        kept = folder.kept(round_, "verified")
        skills.append(float(np.mean(is_right(kept))))
    logits = np.log(skills) - np.log1p(-np.array(skills))
    # A share of n kept samples is binomial; to first order the errors of the logits add from round to round.
    errors = np.sqrt(np.cumsum([0.0, *(1 / (KEPT * s * (1 - s)) for s in skills[1:])]))
    factor = (1 - of_good) / of_bad
    expected = logits[0] + np.arange(ROUNDS + 1) * np.log(factor)
    assert np.all(np.abs(logits - expected)[1:] < 4 * errors[1:])
    change = (logits[-1] - logits[0]) / errors[-1]
    j = 1 - of_good - of_bad
    assert change > 4 if j > 1e-9 else change < -4 if j < -1e-9 else abs(change) < 4


@pytest.mark.parametrize("name", PLANTED)
def test_calibrate_foresees_it(name: str, plan: Any, tmp_path: Path) -> None:
    of_good, of_bad = PLANTED[name]
    plan(name)  # writes the checks
    verifier = FunctionCheck(function=f"planted:{name}")
    condition = Samples(answer=np.arange(6_000) % 80)
    candidates = WorkerGenerator(0.5).sample(6_000, np.random.default_rng(2), condition)
    found = calibrate(verifier.verify(candidates, np.random.default_rng(0)), is_right(candidates)).fate
    j = 1 - of_good - of_bad
    error = (found.j.high - found.j.low) / 4
    assert abs(found.j.value - j) < 4 * error
    assert found.odds_factor.low < (1 - of_good) / of_bad * 1.03
    assert found.odds_factor.high > (1 - of_good) / of_bad * 0.97
    assert (found.j.low > 0, found.j.high < 0) == (j > 1e-9, j < -1e-9)
