"""pass@k against binomial truth, and what was solved at the start and now."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import comb

from veriloop.errors import ConfigError
from veriloop.generator import Generator
from veriloop.metrics.base import Evaluation
from veriloop.metrics.function import FunctionMean
from veriloop.metrics.pass_at import SHARES, PassAt, pass_at, solved_since
from veriloop.records import RowEstimate
from veriloop.samples import Samples
from veriloop.schema import Label, Schema
from veriloop.testing import check_metric

CHECKS = """
def is_right(row):
    return None if row["completion"] == "?" else row["completion"] == "right"

def score(row):
    return {"right": 0.9, "wrong": 0.2, "?": 0.5}[row["completion"]]
"""


class Trying(Generator):
    """Is right with the chance that stands beside the prompt, whatever the seed of other prompts."""

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        assert condition is not None
        right = rng.random(n) < condition.array("chance")
        return condition.with_columns(completion=["right" if r else "wrong" for r in right])

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "Trying":
        return cls()


@pytest.fixture(autouse=True)
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "try_checks.py").write_text(CHECKS)
    monkeypatch.syspath_prepend(str(tmp_path))


def evaluation(chance: Any, **more: Any) -> Evaluation:
    chance = np.asarray(chance, float)
    asked = Samples(prompt=[f"{i}?" for i in range(len(chance))], chance=chance)
    made = Trying().sample(len(chance), np.random.default_rng(9), asked)
    return Evaluation(Trying(), made, made, **more)


def metric(**fields: Any) -> FunctionMean:
    return FunctionMean(function="try_checks:is_right", timeout=3_600, **fields)


@pytest.mark.parametrize(("n", "k"), [(1, 1), (8, 1), (8, 5), (8, 8), (40, 7), (3_000, 900)])
def test_the_formula(n: int, k: int) -> None:
    accepted = np.arange(n + 1)
    found = pass_at(k, n, accepted)
    assert found[0] == 0
    assert (found[accepted > n - k] == 1).all()
    if n < 1_000:
        expected = 1 - np.array([comb(n - c, k, exact=True) / comb(n, k, exact=True) for c in accepted])
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (np.diff(found) >= 0).all()


def test_it_is_unbiased_whatever_the_number_of_texts() -> None:
    rng, p, k = np.random.default_rng(0), 0.15, 4
    for n in (4, 6, 20):
        drawn = pass_at(k, n, rng.binomial(n, p, size=40_000))
        error = drawn.std() / np.sqrt(len(drawn))
        assert abs(drawn.mean() - (1 - (1 - p) ** k)) < 4 * error


def test_measured_over_prompts_it_is_the_binomial_truth() -> None:
    chance = np.random.default_rng(1).beta(0.3, 0.7, size=1_500)
    measured = metric(pass_at=(1, 4), samples_per_prompt=6).measure(
        evaluation(chance), np.random.default_rng(2)
    )
    for k in (1, 4):
        found = measured[f"pass@{k}"]
        truth = 1 - (1 - chance) ** k
        # These prompts are given, so the error about their truth is smaller than that over prompts.
        assert abs(found.value - truth.mean()) < 4 * found.se
        assert found.se > truth.std() / np.sqrt(len(chance)) * 0.95
        assert isinstance(found, RowEstimate)
        assert len(found.rows) == len(chance)
    assert measured["check"].value == pytest.approx(chance.mean(), abs=4 * measured["check"].se)


def test_what_was_solved_by_both_only_now_and_no_longer_is_unbiased_too() -> None:
    rng, n, k, prompts = np.random.default_rng(3), 5, 3, 60_000
    before, after = rng.beta(0.5, 0.5, size=(2, prompts))
    then, now = (pass_at(k, n, rng.binomial(n, p)) for p in (before, after))
    solved = [1 - (1 - p) ** k for p in (before, after)]
    truth = {
        "solved_both": solved[0] * solved[1],
        "solved_only_now": (1 - solved[0]) * solved[1],
        "solved_no_longer": solved[0] * (1 - solved[1]),
    }
    for name, values in solved_since(then.astype(np.float32), now).items():
        error = values.std() / np.sqrt(prompts)
        assert abs(values.mean() - truth[name].mean()) < 4 * error


def test_the_shares_follow_a_model_that_has_forgotten_half_of_its_prompts() -> None:
    settings = metric(pass_at=(1, 2), samples_per_prompt=4)
    start = settings.measure(evaluation([1, 1, 1, 0]), np.random.default_rng(0))
    assert [start[name].value for name in SHARES] == [0.75, 0, 0]
    rows = {name: e.rows.astype(np.float32) for name, e in start.items() if isinstance(e, RowEstimate)}
    now = settings.measure(evaluation([1, 0, 0, 1], start=rows.get), np.random.default_rng(0))
    assert [now[name].value for name in SHARES] == [0.25, 0.25, 0.5]
    lost = now["solved_no_longer"]
    assert isinstance(lost, RowEstimate)
    assert lost.rows.tolist() == [0, 1, 1, 0]
    assert lost.se == pytest.approx(np.std([0, 1, 1, 0], ddof=1) / 2)
    assert now["pass@2"].value == 0.5


def test_a_score_is_a_solution_from_a_value_on_and_an_abstention_never() -> None:
    class Unsure(Trying):
        def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
            assert condition is not None
            return condition.with_columns(completion=["right", "?", "wrong"] * (n // 3))

    asked = evaluation([0, 0])
    unsure = Evaluation(Unsure(), asked.generated, asked.real)
    settings = {"pass_at": (1,), "samples_per_prompt": 3, "timeout": 3_600}
    for function, at, expected in (("is_right", 0.5, 1 / 3), ("score", 0.5, 2 / 3), ("score", 0.6, 1 / 3)):
        check = FunctionMean(function=f"try_checks:{function}", solved_at=at, **settings)
        assert check.measure(unsure, np.random.default_rng(0))["pass@1"].value == pytest.approx(expected)


def test_keeps_the_contract_and_says_what_its_numbers_mean() -> None:
    chance = np.linspace(0, 1, 12)
    check_metric(metric(pass_at=(1, 3)), evaluation(chance))
    quantities = metric(pass_at=(1, 8)).quantities
    assert list(quantities) == ["check", "check_abstained", "pass@1", "pass@8", *SHARES]
    assert quantities["solved_no_longer"].better == "lower"
    assert "8 tries" in quantities["solved_both"].meaning
    named = metric(pass_at=(2,), name="sums").quantities
    assert list(named)[2:] == ["sums_pass@2", *(f"sums_{name}" for name in SHARES)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"samples_per_prompt": 4}, "samples_per_prompt needs pass_at"),
        ({"pass_at": (1, 8), "samples_per_prompt": 4}, "got 4, expected at least 8"),
        ({"pass_at": (0,)}, "greater than 0"),
        ({"pass_at": (2, 2)}, "a number twice"),
    ],
)
def test_what_cannot_hold_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, ValueError), match=message):
        PassAt(**fields)


def test_data_without_texts_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs one column of role 'completion'"):
        metric(pass_at=(1,)).suited_to(Schema({"label": Label(classes=3)}))
