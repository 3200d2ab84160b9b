"""A function as metric, on texts whose numbers can be counted by hand."""

import math
from pathlib import Path

import numpy as np
import pytest

from veriloop.errors import ConfigError, DataError
from veriloop.generator import Generator
from veriloop.loop.plan import quantities_of
from veriloop.metrics.base import Evaluation, Metric
from veriloop.metrics.function import FunctionMean
from veriloop.quantity import Near
from veriloop.records import Estimate
from veriloop.samples import Samples
from veriloop.schema import Completion, Number, Prompt, Schema
from veriloop.testing import check_metric

CHECKS = """
def is_right(row):
    return int(row["completion"]) == row["answer"]


def nearness(row):
    return -abs(int(row["completion"]) - row["answer"])


def silent(row):
    return None


def of_even(completions, answer, **kwargs):
    return [1.0 if a % 2 == 0 else None for a in answer]
"""


class Guessing(Generator):
    """Samples at random; taken greedily it is right."""

    is_greedy = False

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        raise NotImplementedError

    def greedy(self, condition: Samples) -> Samples:
        return condition.with_columns(completion=[str(a) for a in condition.array("answer")])

    def save(self, directory: Path) -> None: ...

    @classmethod
    def load(cls, directory: Path) -> "Guessing":
        raise NotImplementedError


@pytest.fixture(autouse=True)
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sum_checks.py").write_text(CHECKS)
    monkeypatch.syspath_prepend(str(tmp_path))


def evaluation(*written: str, greedy: bool = True) -> Evaluation:
    made = Samples(answer=np.arange(len(written)), completion=list(written))
    generator = Guessing()
    generator.is_greedy = greedy
    return Evaluation(generator, made, made)


def measure(function: str, of: Evaluation, **fields) -> dict[str, Estimate]:
    metric = FunctionMean(function=f"sum_checks:{function}", **fields)
    return metric.measure(of, np.random.default_rng(0))


def test_keeps_the_contract() -> None:
    check_metric(FunctionMean(function="sum_checks:nearness", workers=2), evaluation("0", "3", "?", "3"))


def test_is_named_in_configurations_and_its_numbers_have_a_direction() -> None:
    metric = FunctionMean(function="sum_checks:is_right")
    assert Metric.model_validate({"kind": "function", "function": "sum_checks:is_right"}) == metric
    assert [quantity.better for quantity in metric.quantities.values()] == ["higher", "lower"]


def test_two_functions_have_two_names() -> None:
    near = FunctionMean(function="sum_checks:nearness", name="error", better="lower")
    assert {name: q.better for name, q in near.quantities.items()} == {
        "error": "lower",
        "error_abstained": "lower",
    }
    found = measure("nearness", evaluation("2", "1"), name="error")
    assert found["error"].value == -1
    assert Metric.model_validate({**near.model_dump(), "better": {"near": 1.0}}).quantities[
        "error"
    ].better == Near(1.0)
    with pytest.raises(
        ConfigError, match="two metrics measure the same quantity: got 'check, check_abstained'"
    ):
        quantities_of([FunctionMean(function="a:b"), FunctionMean(function="c:d")])
    assert list(quantities_of([near, FunctionMean(function="c:d")])) == [
        "error",
        "error_abstained",
        "check",
        "check_abstained",
    ]


def test_a_function_may_look_at_any_samples() -> None:
    metric = FunctionMean(function="sum_checks:is_right")
    assert metric.suited_to(Schema({"x": Number()})) == metric
    text = Schema({"question": Prompt(), "answer": Completion()})
    assert metric.suited_to(text).column == "answer"


def test_the_share_of_right_answers_leaves_abstentions_out_and_counts_them() -> None:
    found = measure("is_right", evaluation("0", "1", "5", "no number"))
    decided = np.array([1, 1, 0])
    assert found["check"].value == pytest.approx(decided.mean())
    assert found["check"].se == pytest.approx(decided.std(ddof=1) / math.sqrt(3))
    assert found["check_abstained"].value == 0.25
    assert found["check_abstained"].se == pytest.approx(np.array([0, 0, 0, 1]).std(ddof=1) / 2)


def test_the_mean_of_scores() -> None:
    found = measure("nearness", evaluation("2", "1", "5"))
    assert found["check"].value == pytest.approx(-5 / 3)
    assert found["check_abstained"].value == 0


def test_texts_are_decoded_greedily_where_that_is_asked_for() -> None:
    assert measure("is_right", evaluation("7", "7", greedy=False), greedy=True)["check"].value == 1
    assert measure("is_right", evaluation("7", "7", greedy=False))["check"].value == 0


@pytest.mark.parametrize("written", [[], ["0", "1"]])
def test_where_nothing_is_said_there_is_no_number(written: list[str]) -> None:
    found = measure("silent", evaluation(*written))
    assert math.isnan(found["check"].value)
    assert found["check_abstained"].value == 1 or not written


def test_what_cannot_be_asked() -> None:
    with pytest.raises(ConfigError, match="cannot import the function"):
        measure("missing", evaluation("0"))
    with pytest.raises(DataError, match="no such column"):
        measure("is_right", evaluation("0"), columns=("question",))


def test_several_functions_have_a_number_together_and_one_each() -> None:
    several = [
        {"function": "sum_checks:nearness", "weight": 0.5, "name": "near"},
        {"function": "sum_checks:of_even", "weight": 2.0},
    ]
    metric = FunctionMean.model_validate({"functions": several, "roles": {"completion": "completion"}})
    names = ["check", "check_abstained", "check_near", "check_of_even"]
    assert list(metric.quantities) == names
    found = metric.measure(evaluation("2", "1", "5"), np.random.default_rng(0))
    assert [found[name].value for name in names] == pytest.approx([(1 + 0 + 0.5) / 3, 0, -5 / 3, 1.0])
