"""What each row adds to a number is kept beside the round's model, and nowhere else."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from typing_extensions import override

from veriloop.errors import ContractError, CorruptFileError
from veriloop.loop import MemoryRun, run
from veriloop.loop.plan import Plan
from veriloop.metrics.base import Evaluation, Metric
from veriloop.metrics.standard_errors import mean
from veriloop.quantity import Quantity
from veriloop.records import Estimate, RowEstimate, Split
from veriloop.store.rows import ROWS
from veriloop.testing.tiny import TinyMetric


class Firsts(Metric, frozen=True):
    """The mean of the first coordinates."""

    quantities: ClassVar[Mapping[str, Quantity]] = {"first": Quantity("First coordinate", better="higher")}

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        return {"first": mean(evaluation.generated.array("x")[:, 0])}


class Crooked(Firsts, frozen=True):
    """Its rows have another mean than its number."""

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        return {"first": RowEstimate(1.0, 0.1, rows=np.array([0.0, 1.0]))}


@pytest.fixture
def plan(tiny_plan: Callable[..., Plan]) -> Plan:
    return tiny_plan(rounds=2).model_copy(update={"metrics": (TinyMetric(), Firsts())})


def test_rows_lie_beside_the_model_and_not_in_the_record(plan: Plan, tmp_path: Path) -> None:
    folder = run(plan, tmp_path / "run")
    for record in folder.records():
        measured_on: dict[Split, Mapping[str, Estimate]] = {
            "test": record.metrics,
            "validation": record.validation,
        }
        for split, measured in measured_on.items():
            rows = folder.rows(record.round, record.arm, "first", split)
            assert rows is not None
            assert rows.shape == (300,)
            assert rows.mean() == pytest.approx(measured["first"].value, abs=1e-5)
            assert rows.std(ddof=1) / np.sqrt(300) == pytest.approx(measured["first"].se, rel=1e-4)
            assert folder.rows(record.round, record.arm, "gap", split) is None
    lines = (folder.path / "records.jsonl").read_text().splitlines()
    assert set(json.loads(lines[0])["metrics"]["first"]) == {"value", "se"}
    assert folder.rows(9, "verified", "first", "test") is None


def test_memory_holds_the_same_rows_of_all_rounds(plan: Plan, tmp_path: Path) -> None:
    folder, memory = run(plan, tmp_path / "run"), run(plan, None)
    assert isinstance(memory, MemoryRun)
    for record in memory.records():
        there, here = (r.rows(record.round, record.arm, "first", "validation") for r in (folder, memory))
        assert there is not None
        np.testing.assert_array_equal(there, here)
    assert memory.rows(1, "verified", "gap", "test") is None


def test_without_rows_there_is_no_file(tiny_plan: Callable[..., Plan], tmp_path: Path) -> None:
    folder = run(tiny_plan(rounds=1), tmp_path / "run")
    assert not list(folder.path.rglob(ROWS))


def test_changed_rows_are_noticed(plan: Plan, tmp_path: Path) -> None:
    folder = run(plan, tmp_path / "run")
    path = folder.round_directory(1, "verified") / ROWS
    path.write_bytes(path.read_bytes()[:-20] + bytes(20))
    with pytest.raises(CorruptFileError, match=ROWS):
        folder.rows(1, "verified", "first", "test")
    path.unlink()
    with pytest.raises(CorruptFileError, match=ROWS):
        folder.rows(1, "verified", "first", "test")


def test_rows_that_do_not_belong_to_their_number_are_refused(plan: Plan) -> None:
    wrong: Any = plan.model_copy(update={"metrics": (Crooked(),)})
    with pytest.raises(ContractError, match=r"Crooked.measure: first: rows: got 'mean 0\.5'"):
        run(wrong, None)
