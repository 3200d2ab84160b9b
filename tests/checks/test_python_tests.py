"""Code against its tests, in every bad way that code that wants to pass has found."""

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest

from veriloop.checks.programs import sandbox
from veriloop.errors import ConfigError
from veriloop.samples import Samples
from veriloop.schema import Completion, Extra, Prompt, Schema
from veriloop.verdicts import Decision, Verdicts
from veriloop.verifiers.checks import PythonTests

from ..patience import HOUR

WITH, WITHOUT = "with bubblewrap", "without"
GOOD = "def add(a, b):\n    return a + b\n"
BAD = "def add(a, b):\n    return 7\n"
TESTS = "assert add(2, 3) == 5\nassert add(1, 1) == 2\n"


@pytest.fixture(params=[WITH, WITHOUT])
def confined(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the system confines the code; without it, as where it is not installed."""
    sandbox.bubblewrap.cache_clear()
    if request.param == WITH:
        if sandbox.bubblewrap() is None:
            pytest.skip("bubblewrap is not installed, or may not work here")
        return True
    folders = os.environ["PATH"].split(os.pathsep)
    without = [folder for folder in folders if not (Path(folder) / "bwrap").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(without))
    sandbox.bubblewrap.cache_clear()
    return False


def verify(codes: list[str], tests: str | list[str] = TESTS, **fields) -> Verdicts:
    column = [tests] * len(codes) if isinstance(tests, str) else tests
    check = PythonTests(**{"timeout": HOUR, "workers": 2, **fields})
    return check.verify(Samples(completion=codes, tests=column), np.random.default_rng(0))


@pytest.fixture(autouse=True)
def _note_who_is_there() -> None:
    """Other tests of this process may have left a pool of idle workers, which is no fault of these."""
    global _there
    _there = {p.pid for p in psutil.Process().children(recursive=True)}


_there: set[int] = set()


def left_behind() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    return [p for p in children if p.pid not in _there and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.usefixtures("confined")
def test_right_code_passes_and_wrong_code_says_where_it_does_not() -> None:
    fenced = f"Here it is:\n```python\n{GOOD}```\nIt adds."
    helpers = "import dataclasses, collections, tempfile\nP = collections.namedtuple('P', 'a b')\n"
    files = f"{helpers}with tempfile.NamedTemporaryFile() as f: f.write(b'1')\nopen('mine', 'w').write('1')\n"
    verdicts = verify([GOOD, fenced, f"{files}{GOOD}", BAD, "def add(a, b: return a", "", "add = 1"])
    assert verdicts.decision.tolist() == [Decision.ACCEPT] * 3 + [Decision.REJECT] * 4
    assert verdicts.reason is not None
    assert verdicts.reason[3] == "AssertionError at 'assert add(2, 3) == 5'"
    assert verdicts.reason[4].startswith("the code raised SyntaxError: ")
    assert verdicts.reason[5] == "NameError: name 'add' is not defined at 'assert add(2, 3) == 5'"


HOSTILE = {
    "exit": ("import sys\nsys.exit(0)", "the code raised SystemExit: 0 at 'sys.exit(0)'"),
    "exit at once": ("import os\nos._exit(0)", "ended before its tests finished"),
    "exit when called": ("def add(a, b):\n    import os\n    os._exit(0)", "ended before its tests"),
    "stop when called": ("def add(a, b):\n    raise SystemExit(0)", "SystemExit: 0 at"),
    "print": ("print('passed', 1.0)\n" + BAD, "AssertionError"),
    "bomb": ("import os\nwhile True: os.fork()", "took a forbidden step: os.fork"),
    "start": (
        "import subprocess\nsubprocess.run(['true'])\n" + GOOD,
        "took a forbidden step: subprocess.Popen",
    ),
    "memory": ("x = bytearray(3 * 10**9)\n" + GOOD, "the code raised MemoryError"),
    "write": (
        "try:\n    open('/etc/evil', 'w')\nexcept BaseException: pass\n" + GOOD,
        "wrote outside its folder",
    ),
    "link": ("import os\nos.symlink('/etc', 'x')\nopen('x/evil', 'w')\n" + GOOD, "changed something outside"),
    "remove": (
        "import os\nos.remove('/etc/hosts')\n" + GOOD,
        "changed something outside its folder: os.remove",
    ),
    "kill": ("import os\nos.kill(os.getppid(), 9)\n" + GOOD, "took a forbidden step: os.kill"),
    "network": (
        "import socket\nsocket.create_connection(('127.0.0.1', 9))\n" + GOOD,
        "took a forbidden step",
    ),
    "flood": ("print('x' * 10**8)\n" + BAD, "AssertionError"),
    "fill": ("open('big', 'wb').write(b'x' * 10**8)\n" + GOOD, "the code raised OSError"),
    "equal": (
        "class X:\n    def __eq__(self, other): return True\ndef add(a, b): return X()",
        "an object that equals everything",
    ),
    "builtins": ("import builtins\nbuiltins.exec = lambda *a: None\n" + BAD, "changed builtins.exec"),
    "later": (
        "def add(a, b):\n    import builtins\n    builtins.all = lambda x: True\n    return a + b",
        "changed builtins.all",
    ),
    "frames": ("import sys\nsys._getframe().f_back\n" + GOOD, "looked at how the tests are run"),
    "traceback": (
        "try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame\n" + GOOD,
        "looked at how the tests are run",
    ),
    "answer": (
        "import os\nfor i in range(3, 60):\n"
        "    try: os.write(i, b'[1, true, 1]')\n    except OSError: pass\nos._exit(0)",
        "1",
    ),
    "trace": ("import sys\nsys.settrace(print)\n" + GOOD, "took a forbidden step: sys.settrace"),
}


def test_no_trick_passes_and_nothing_is_left(confined: bool, tmp_path: Path) -> None:
    evil = Path("/etc/evil")
    verdicts = verify([code for code, _ in HOSTILE.values()], memory="1GB")
    assert verdicts.reason is not None
    said = dict(zip(HOSTILE, verdicts.reason, strict=True))
    wrong = {name: said[name] for name, (_, why) in HOSTILE.items() if why not in said[name]}
    assert not wrong
    assert verdicts.count(Decision.REJECT) == len(HOSTILE)
    assert not evil.exists()
    assert not left_behind()
    assert not list(Path(tempfile.gettempdir()).glob("veriloop-*/evil"))


@pytest.mark.usefixtures("confined")
def test_what_takes_too_long_is_rejected_and_ended() -> None:
    verdicts = verify(["while True: pass", f"import time\ntime.sleep(10**6)\n{GOOD}"], timeout=2)
    assert verdicts.count(Decision.REJECT) == 2
    assert verdicts.reason == ["took longer than 2 s"] * 2
    assert not left_behind()


@pytest.mark.usefixtures("confined")
def test_processes_are_allowed_up_to_their_number() -> None:
    code = f"import subprocess, sys, time\n{{}}\n{GOOD}"
    one = code.format("subprocess.run([sys.executable, '-c', ''])")
    many = code.format("p = [subprocess.Popen(['sleep', '1000071']) for _ in range(9)]\ntime.sleep(10**6)")
    verdicts = verify([one, many], processes=3)
    assert verdicts.decision.tolist() == [Decision.ACCEPT, Decision.REJECT]
    assert verdicts.reason == ["", "started more than 3 processes"]
    assert not [p for p in psutil.process_iter(["cmdline"]) if "1000071" in (p.info["cmdline"] or [])]


def test_the_system_itself_refuses_where_it_can(confined: bool, tmp_path: Path) -> None:
    if not confined:
        pytest.skip("only bubblewrap does")
    # By ways that no audit hook sees.
    write = (
        f"import ctypes\nassert ctypes.CDLL(None).open({str(tmp_path / 'evil').encode()!r}, 65, 438) < 0\n"
    )
    verdicts = verify([f"{write}{GOOD}"])
    assert verdicts.reason == [""]
    assert not (tmp_path / "evil").exists()


SHAPES = {
    "functions": "def test_one():\n    assert add(1, 1) == 2\ndef test_two():\n    assert add(1, 2) == 3\n",
    "unittest": "import unittest\nclass Adds(unittest.TestCase):\n"
    "    def setUp(self): self.two = 2\n    def test_it(self): self.assertEqual(add(1, 1), self.two)\n",
    "class": "class TestAdd:\n    def test_it(self):\n        assert add(1, 1) == 2\n",
    "import": "from solution import add as plus\nassert plus(1, 1) == 2",
    "list": '["assert add(1, 1) == 2", "assert add(0, 0) == 0"]',
    "math": "import math\nassert math.isclose(add(1, 1), 2)",
    "builtin": "assert all(add(i, 1) == i + 1 for i in range(3))",
}


def test_tests_come_in_many_shapes() -> None:
    assert verify([GOOD] * len(SHAPES), list(SHAPES.values())).count(Decision.ACCEPT) == len(SHAPES)
    assert verify([BAD] * len(SHAPES), list(SHAPES.values())).count(Decision.REJECT) == len(SHAPES)


def test_what_the_tests_use_cannot_be_changed() -> None:
    changes = {
        "unittest": "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n",
        "math": "import math\nmath.isclose = lambda *a: True\n",
        "builtin": "def all(x): return True\n",
    }
    verdicts = verify([f"{c}{BAD}" for c in changes.values()], [SHAPES[name] for name in changes])
    assert verdicts.count(Decision.REJECT) == len(changes)
    assert verdicts.reason is not None
    assert verdicts.reason[:2] == ["changed TestCase.assertEqual", "changed math.isclose"]


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ("", "no tests in column 'tests'"),
        ("# none", "there are no tests"),
        ("assert (", "the tests are not Python"),
        ("import no_such_module\nassert 1", "the tests import a missing module"),
        ("def test_x(fixture): pass", "test_x takes arguments: pytest fixtures are not available"),
    ],
)
def test_tests_that_cannot_be_run_are_abstentions(tests: str, reason: str) -> None:
    verdicts = verify([GOOD], tests)
    assert verdicts.decision.tolist() == [Decision.ABSTAIN]
    assert verdicts.reason is not None
    assert verdicts.reason[0].startswith(reason)


def test_a_function_is_completed_and_checked_as_in_humaneval() -> None:
    schema = Schema(
        {
            "prompt": Prompt(),
            "completion": Completion(),
            "test": Extra(),
            "entry_point": Extra(),
            "id": Extra(),
        }
    )
    check = PythonTests(prompt_first=True, timeout=HOUR).suited_to(schema)
    assert (check.tests, check.call) == ("test", "entry_point")
    samples = Samples(
        prompt=["def inc(x):\n"] * 2,
        completion=["    return x + 1", "    return x"],
        test=["def check(candidate):\n    assert candidate(1) == 2"] * 2,
        entry_point=["inc"] * 2,
    )
    verdicts = check.verify(samples, np.random.default_rng(0))
    assert verdicts.decision.tolist() == [Decision.ACCEPT, Decision.REJECT]


def test_no_key_of_ours_is_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "hidden")
    code = "import os\nassert 'SECRET_KEY' not in os.environ\nseen = open('/proc/self/environ').read()\n"
    assert verify([f"{code}assert 'hidden' not in seen\n{GOOD}"]).reason == [""]


def test_whether_the_code_is_confined_is_said(confined: bool) -> None:
    check = PythonTests()
    (note,) = check.check_call(["completion", "tests"])
    assert note.startswith("bubblewrap sandboxes" if confined else "bubblewrap (bwrap) is missing")
    if not confined:
        with pytest.raises(ConfigError, match=r"bubblewrap .bwrap. is missing.* Install it"):
            PythonTests(sandbox="bubblewrap").check_call(["completion", "tests"])
    with pytest.raises(ConfigError, match="needs a column: got 'tests', expected one of completion"):
        check.check_call(["completion"])


def test_a_bubblewrap_that_may_not_work_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert shutil.which("bwrap") == str(program)
    sandbox.bubblewrap.cache_clear()
    assert sandbox.bubblewrap() is None
    sandbox.bubblewrap.cache_clear()
