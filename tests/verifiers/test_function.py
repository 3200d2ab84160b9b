"""Functions that behave in every bad way there is, called by name."""

import shutil
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml

from veriloop.datasets.base import Dataset
from veriloop.errors import ConfigError, DataError, VeriloopError
from veriloop.samples import Samples
from veriloop.testing import check_part
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.base import Verifier
from veriloop.verifiers.function import FunctionCheck

from ..patience import HOUR

CHECKS = Path(__file__).with_name("misbehaving_functions.py")


@pytest.fixture(autouse=True)
def checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(CHECKS, tmp_path / "own_checks.py")
    (tmp_path / "broken.py").write_text("import sys\nsys.exit('no')")
    monkeypatch.syspath_prepend(str(tmp_path))


def verify(function: str, samples: Samples, **fields) -> Verdicts:
    check = FunctionCheck(function=f"own_checks:{function}", **{"timeout": HOUR, **fields})
    return check.verify(samples, np.random.default_rng(0))


def numbers(n: int) -> Samples:
    return Samples(n=np.arange(n))


def children() -> list[psutil.Process]:
    """Our workers, and their guards."""
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
    assert verdicts.reason[3] == "the function returned 'yes', expected a bool, a finite number or None"
    assert verdicts.reason[5] == "bad"
    assert verdicts.reason[10].startswith("OverflowError")
    assert verdicts.reason[11] == "IndexError: list index out of range"


def test_what_takes_too_long_is_an_abstention_and_the_others_are_judged() -> None:
    what = ["loop", "fine", "sleep", "fine", "write", "fine", "ignore", "fine"]
    verdicts = verify("misbehave", Samples(text=what), timeout=3, workers=2)
    late = "took longer than 3 s"
    assert verdicts.reason == ["" if text == "fine" else late for text in what]
    assert verdicts.decision.tolist() == [Decision.ABSTAIN, Decision.ACCEPT] * 4
    assert not children()


def test_whatever_it_does_is_an_abstention_and_the_others_are_judged() -> None:
    what = [
        *("fine", "exit", "die", "fine", "abort", "raise", "close", "fine", "signal", "write lines", "flood"),
        *("close all", "recurse", "interrupt", "own group", "mute", "fine"),
    ]
    verdicts = verify("misbehave", Samples(text=what), workers=2)
    # Its socket is out of the way of what closes just the first hundred descriptors.
    fine = np.isin(what, ["fine", "close"])
    assert np.array_equal(verdicts.is_(Decision.ACCEPT), fine)
    assert np.array_equal(verdicts.is_(Decision.ABSTAIN), ~fine)
    assert np.isnan(verdicts.score[~fine]).all()
    reasons = dict(zip(what, verdicts.reason or [], strict=True))
    assert reasons["exit"] == "SystemExit: enough"
    assert reasons["die"] == "the function ended its process with exit code 3"
    assert reasons["abort"] == "the function's process was ended by SIGABRT"
    assert reasons["raise"] == "KeyError: 'answer'"
    assert reasons["signal"] == "the function's process was ended by signal 40"
    disturbed = "the function disturbed its process's socket"
    assert reasons["write lines"] == reasons["flood"] == disturbed
    assert reasons["close all"] == "the function closed its process's socket"
    assert reasons["recurse"].startswith("RecursionError")
    assert reasons["interrupt"] == "KeyboardInterrupt:"
    assert reasons["own group"].startswith("the function's process was ended by SIGKILL, as the system does")
    assert reasons["mute"] == "Mute"
    assert not children()


def test_a_reason_of_a_class_of_their_own_is_read_as_text() -> None:
    reason = verify("own_text", numbers(1)).reason
    assert reason is not None
    assert type(reason[0]) is str
    assert "own_checks" not in sys.modules, "nothing of theirs is imported here"


def test_what_it_started_ends_with_it() -> None:
    assert verify("leave_a_child", numbers(1), timeout=0.5).reason == ["took longer than 0.5 s"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if "1000061.25" in (p.info["cmdline"] or [])]


def test_a_daemon_ends_with_it_too() -> None:
    assert verify("leave_a_daemon", numbers(1)).count(Decision.ACCEPT) == 1
    assert not [p for p in psutil.process_iter(["cmdline"]) if "1000063.25" in (p.info["cmdline"] or [])]


@pytest.mark.parametrize("workers", [1, 2])
def test_copies_that_a_function_forks_have_no_say(workers: int) -> None:
    verdicts = verify("forks", numbers(24), workers=workers)
    assert verdicts.reason == [str(n) for n in range(24)]
    assert verdicts.count(Decision.ACCEPT) == 24
    assert not children()


def test_numbers_that_are_none() -> None:
    verdicts = verify("numbers", numbers(9))
    scored = [False, False, True, False, False, True, True, False, True]
    assert verdicts.is_(Decision.OPEN).tolist() == scored
    assert verdicts.score[scored].tolist() == [1e300, 2.0**70, -0.0, 1e-320]
    assert verdicts.reason is not None
    assert verdicts.reason[0] == "the function returned inf, expected a bool, a finite number or None"
    assert verdicts.reason[4].startswith("the function returned b'1'")


def test_reasons_of_any_length_come_whole_or_not_at_all() -> None:
    verdicts = verify("long_reason", Samples(n=np.array([0, 150_000, 200_000, 3])))
    assert verdicts.reason is not None
    assert [len(reason) for reason in verdicts.reason if reason[:1] in ("é", "")] == [0, 150_000, 3]
    assert verdicts.reason[2] == ("the function's reason is too long (200,000 characters)")
    assert verdicts.decision.tolist() == [Decision.ACCEPT, Decision.ACCEPT, Decision.ABSTAIN, Decision.ACCEPT]


@pytest.mark.parametrize(
    "column",
    [
        ["plain", "ä\u2028\n\r\x00 \U0001f600", '\\"[]', "lone \ud83d", "", "x" * 2_000_000],
        np.array([0.1, np.nan, np.inf, -0.0, 5e-324]),
        np.array([2**63 + 1, 2**64 - 1], np.uint64),
        np.array([True, False]),
        np.array([[0.1, np.nan], [-np.inf, -0.0]]),
        np.arange(24, dtype=">i4").reshape(2, 3, 4).transpose(2, 1, 0),
        np.arange(6, dtype=np.float16).reshape(3, 2) / 3,
        np.array([[True], [False]]),
        np.array([[-(2**63)], [2**63 - 1]]),
        np.zeros((3, 0)),
    ],
    ids=lambda column: str(getattr(column, "dtype", "text")),
)
def test_rows_arrive_as_they_are(column: object) -> None:
    values = column.tolist() if isinstance(column, np.ndarray) else column
    assert isinstance(values, list)
    told = verify("say", Samples(column=column, after=["."] * len(values))).reason
    expected = [repr([value, "."]) for value in values]
    assert told == [e if len(e) < 10**6 else t for e, t in zip(expected, told or [], strict=True)]


def test_more_memory_than_it_may_use_is_an_abstention_that_says_so() -> None:
    verdicts = verify("greedy", numbers(4), memory="500MB")
    needs = "MemoryError: the function exceeded its memory limit of 500 MB"
    assert verdicts.reason == ["small", needs, needs, "small"]
    fields = {"function": "own_checks:greedy", "memory": "2GB"}
    assert FunctionCheck.model_validate(fields).memory == 2 * 10**9


def test_a_limit_of_memory_too_small_to_begin_with_is_a_mistake_of_the_configuration() -> None:
    for memory in ("2MB", "much"):
        with pytest.raises(ValueError, match="memory"):
            FunctionCheck.model_validate({"function": "own_checks:even", "memory": memory})


def test_more_processes_than_it_may_start_are_ended_with_it() -> None:
    verdicts = verify("crowd", numbers(3), processes=4)
    assert verdicts.decision.tolist() == [Decision.ACCEPT, Decision.ABSTAIN, Decision.ACCEPT]
    assert verdicts.reason is not None
    assert verdicts.reason[1] == "the function started more than 4 processes"
    assert not [p for p in psutil.process_iter(["cmdline"]) if "1000062.25" in (p.info["cmdline"] or [])]


def test_a_row_whose_process_was_killed_is_asked_again_once() -> None:
    verdicts = verify("killed_once", numbers(6))
    assert verdicts.is_(Decision.ACCEPT).tolist() == [True, True, True, True, False, True]
    assert verdicts.reason is not None
    assert verdicts.reason[2] == "2"
    assert verdicts.reason[4].startswith("the function's process was ended by SIGKILL")


def test_processes_that_the_system_does_not_let_us_start_are_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", refuse)
    with pytest.raises(VeriloopError, match=r"cannot be started [(]Resource temporarily unavailable"):
        verify("even", numbers(2))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("own_checks:missing", "own_checks.*has no attribute 'missing'"),
        ("no_such_checks:even", "No module named 'no_such_checks'"),
        ("broken:even", "SystemExit: no"),
        ("own_checks:OTHERS", "has no attribute"),
        ("os:sep", "is a str, not a function"),
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
