"""Functions that behave in every bad way there is, called by name from this very file."""

import os
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from veriloop.datasets.base import Dataset
from veriloop.errors import ConfigError, DataError
from veriloop.samples import Samples
from veriloop.testing import check_part
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier
from veriloop.verifiers.function import FunctionCheck

CHECKS = """
import os, subprocess, sys, time
import numpy as np


def even(row):
    return row["n"] % 2 == 0


def half(row):
    return row["n"] / 2


def longer(row):
    return len(row["text"]) > 1, f"{len(row['text'])} letters"


def lists(row):
    return row["pixels"] == [[1, 2], [3, 4]]


def columns(row):
    return True, ",".join(row)


def answers(row):
    numpy = [np.float32(0.5), np.True_]
    return [True, 0.25, None, "yes", float("nan"), (np.False_, "bad"), (1, 2), *numpy, [], 10**400][row["n"]]


def misbehave(row):
    print("noise " * 20_000)
    print("noise", file=sys.stderr)
    what = row["text"]
    if what == "loop":
        while True:
            pass
    if what == "sleep":
        time.sleep(60)
    if what == "exit":
        sys.exit("enough")
    if what == "die":
        os._exit(3)
    if what == "abort":
        os.abort()
    if what == "raise":
        raise KeyError("answer")
    if what == "signal":
        os.kill(os.getpid(), 40)
        time.sleep(60)
    if what == "write":
        for pipe in range(3, 3000):
            try:
                os.write(pipe, bytes([0, 0, 0, 4]) + b"junk")
            except OSError:
                pass
        time.sleep(60)
    if what == "close":
        os.closerange(3, 100)
    return True


class Text(str):
    pass


def own_text(row):
    return True, Text("mine")


def leave_a_child(row):
    subprocess.Popen(["sleep", "61.25"])
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_checks.py").write_text(CHECKS)
    (tmp_path / "broken.py").write_text("import sys\nsys.exit('no')")
    monkeypatch.syspath_prepend(str(tmp_path))


def verify(function: str, samples: Samples, **fields) -> Verdicts:
    return FunctionCheck(function=f"own_checks:{function}", **fields).verify(
        samples, np.random.default_rng(0)
    )


def numbers(n: int) -> Samples:
    return Samples(n=np.arange(n))


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "_row_worker" in " ".join(p.cmdline())]


def test_is_its_configuration() -> None:
    check_part(FunctionCheck(function="own_checks:even", columns=("n",), timeout=3, workers=2))


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_the_order_of_the_rows(workers: int) -> None:
    verdicts = verify("even", numbers(50), workers=workers)
    assert verdicts.decision.tolist() == [Decision.ACCEPT, Decision.REJECT] * 25
    assert verdicts.score.tolist() == [1, 0] * 25
    scored = verify("half", numbers(50), workers=workers)
    assert scored.score.tolist() == [n / 2 for n in range(50)]
    assert scored.count(Decision.OPEN) == 50
    assert not children()


def test_reasons_and_plain_values() -> None:
    verdicts = verify("longer", Samples(text=["a", "äö"]))
    assert verdicts.reason == ["1 letters", "2 letters"]
    assert verdicts.decision.tolist() == [Decision.REJECT, Decision.ACCEPT]
    pixels = np.array([[[1, 2], [3, 4]], [[1, 2], [3, 5]]], np.uint8)
    assert verify("lists", Samples(pixels=pixels)).decision.tolist() == [Decision.ACCEPT, Decision.REJECT]


def test_the_row_has_the_columns_asked_for() -> None:
    samples = Samples(a=np.arange(1), b=["x"], _row=np.arange(1))
    assert verify("columns", samples).reason == ["a,b"]
    assert verify("columns", samples, columns=("b",)).reason == ["b"]
    with pytest.raises(DataError, match="no such column"):
        verify("columns", samples, columns=("c",))


def test_every_kind_of_answer() -> None:
    verdicts = verify("answers", numbers(12), workers=2)
    accept, reject, abstain, scored = Decision.ACCEPT, Decision.REJECT, Decision.ABSTAIN, Decision.OPEN
    assert verdicts.decision.tolist() == [
        accept, scored, abstain, abstain, abstain, reject, abstain, scored, accept, abstain, abstain, abstain
    ]  # fmt: skip
    assert verdicts.score[[1, 7]].tolist() == [0.25, 0.5]
    assert verdicts.reason is not None
    assert verdicts.reason[2] == "the function returned None"
    assert verdicts.reason[3] == "the function returned 'yes', no bool, finite number or None"
    assert verdicts.reason[5] == "bad"
    assert verdicts.reason[10].startswith("OverflowError")
    assert verdicts.reason[11] == "IndexError: list index out of range"


def test_whatever_it_does_is_an_abstention_and_the_others_are_judged() -> None:
    what = [
        "loop",
        "fine",
        "exit",
        "die",
        "fine",
        "abort",
        "raise",
        "sleep",
        "close",
        "fine",
        "signal",
        "write",
    ]
    began = time.monotonic()
    verdicts = verify("misbehave", Samples(text=what), timeout=1, workers=2)
    assert time.monotonic() - began < 60, "nobody waits for what sleeps for a minute"
    fine = np.array(what) == "fine"
    assert np.array_equal(verdicts.is_(Decision.ACCEPT), fine)
    assert np.array_equal(verdicts.is_(Decision.ABSTAIN), ~fine)
    assert np.isnan(verdicts.score[~fine]).all()
    reasons = dict(zip(what, verdicts.reason or [], strict=True))
    assert reasons["loop"] == reasons["sleep"] == "took longer than 1 s"
    assert reasons["exit"] == "SystemExit: enough"
    assert reasons["die"] == "the function ended its process with exit code 3"
    assert reasons["abort"] == "the function's process was ended by SIGABRT"
    assert reasons["raise"] == "KeyError: 'answer'"
    assert reasons["signal"] == "the function's process was ended by signal 40"
    assert reasons["write"] == "the function disturbed its process's pipes (UnpicklingError)"
    assert not children()


def test_a_reason_of_a_class_of_their_own_is_read_as_text() -> None:
    reason = verify("own_text", numbers(1)).reason
    assert reason is not None
    assert type(reason[0]) is str
    assert "own_checks" not in sys.modules, "nothing of theirs is imported here"


def test_what_it_started_ends_with_it() -> None:
    assert verify("leave_a_child", numbers(1), timeout=0.5).reason == ["took longer than 0.5 s"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if "61.25" in (p.info["cmdline"] or [])]


def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import numpy as np
        from veriloop.samples import Samples
        from veriloop.verifiers.function import FunctionCheck
        check = FunctionCheck(function="own_checks:misbehave", timeout=600)
        check.verify(Samples(text=["loop"]), np.random.default_rng(0))
    """)
    parent = psutil.Popen([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(tmp_path)})
    try:
        deadline = time.monotonic() + 60
        while not (workers := parent.children()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(workers) == 1
    finally:
        parent.kill()
        parent.wait()
    _, left = psutil.wait_procs(workers, timeout=30)
    assert not left


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("own_checks:missing", "own_checks.*has no attribute 'missing'"),
        ("no_such_checks:even", "No module named 'no_such_checks'"),
        ("broken:even", "SystemExit: no"),
        ("own_checks:CHECKS", "has no attribute"),
        ("os:sep", "is a str, no function"),
    ],
)
def test_a_function_that_cannot_be_imported_is_a_mistake_of_the_configuration(
    function: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        FunctionCheck(function=function).verify(numbers(2), np.random.default_rng(0))
    assert not children()


def test_the_name_is_checked_before_anything_runs() -> None:
    with pytest.raises(ValueError, match="pattern"):
        FunctionCheck(function="own_checks.even")


def test_no_samples_need_no_workers() -> None:
    assert len(FunctionCheck(function="no_such:thing").verify(numbers(0), np.random.default_rng(0))) == 0


def test_the_check_of_the_example_knows_right_from_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.chdir(root)
    # Not by load_plan: the example's learner would bring transformers.
    config = yaml.safe_load((root / "examples" / "own-function.yaml").read_text())
    test = Dataset.model_validate(config["dataset"]).load(0).test
    check = Verifier.model_validate(config["verifier"])
    right = check.verify(test, np.random.default_rng(0))
    assert right.count(Decision.ACCEPT) == len(test) > 0
    wrong = test.with_columns(answer=[f"1{text}" for text in test.texts("answer")])
    assert check.verify(wrong, np.random.default_rng(0)).count(Decision.REJECT) == len(test)
    silent = check.verify(test.with_columns(answer=["?"] * len(test)), np.random.default_rng(0))
    assert set(silent.reason or []) == {"no number"}


def test_its_module_is_a_source_and_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    for path in ("loud.py", "inner/__init__.py", "inner/deep.py"):
        (tmp_path / path).write_text("raise SystemExit")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {
        "loud:check": tmp_path / "loud.py",
        "inner:check": tmp_path / "inner" / "__init__.py",
        "inner.deep:check": tmp_path / "inner" / "deep.py",
    }
    for function, path in found.items():
        assert FunctionCheck(function=function).sources() == {f"function {function}": path}
    for nowhere in ("no_such_module:check", "inner.missing:check", "math:floor"):
        sources = FunctionCheck(function=nowhere).sources()
        assert all(path.is_file() for path in sources.values())
        assert nowhere == "math:floor" or not sources
