"""Calls of the command line in this process, and a small run made through it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

CONFIG = """\
rounds: 3
dataset: {kind: "veriloop.testing.tiny:TinyData"}
learner: {kind: "veriloop.testing.tiny:TinyLearner"}
verifier: {kind: "veriloop.testing.tiny:TinyVerifier"}
acceptance: {kind: top_fraction, fraction: 0.2}
schedule: {kind: constant, n: 60}
balance: label
metrics: [{kind: "veriloop.testing.tiny:TinyMetric"}]
"""


class Called(NamedTuple):
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


Veriloop = Callable[..., Called]


@pytest.fixture
def veriloop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Veriloop:
    """Calls ``veriloop`` with arguments, in this process: a new one would spend seconds on imports."""
    from veriloop.cli.main import main

    def call(*arguments: object) -> Called:
        monkeypatch.setattr("sys.argv", ["veriloop", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 0
        captured = capsys.readouterr()
        return Called(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration that runs in less than a second."""
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="session")
def tiny_run(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of `config`."""
    from veriloop.config import load_plan
    from veriloop.loop import run

    return run(load_plan(config), tmp_path_factory.mktemp("runs") / "tiny").path
