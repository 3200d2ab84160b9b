"""The command line in this process, and a configuration to break."""

import sys
from pathlib import Path

import pytest
import yaml

from veriloop.cli.main import main

TINY = "veriloop.testing.tiny"
CONFIG = {
    "rounds": 2,
    "dataset": f"{TINY}:TinyData",
    "learner": f"{TINY}:TinyLearner",
    "verifier": f"{TINY}:TinyVerifier",
    "metrics": [f"{TINY}:TinyMetric"],
    "acceptance": {"kind": "top_fraction", "fraction": 0.2},
    "balance": "label",
    "schedule": {"kind": "constant", "n": 30},
    "evaluation_samples": 60,
}


@pytest.fixture
def veriloop(monkeypatch, capfd):
    """Run the command line in this process: exit code, stdout, stderr."""

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["veriloop", *map(str, arguments)])
        code = 0
        capfd.readouterr()  # what was printed before
        try:
            main()
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def config(tmp_path):
    def write(**changes) -> Path:
        settings = {k: v for k, v in {**CONFIG, **changes}.items() if v != "ABSENT"}
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(settings))
        return path

    return write


def assert_refused(outcome, *fragments):
    code, _, err = outcome
    assert code == 2, err
    *progress, line = err.strip().splitlines()
    assert line.startswith("error: ")
    told = ("start model done", "verified round 1: ", "  such as ")
    assert all(p.startswith(told) or p.endswith(" done") or " done: " in p for p in progress), progress
    for fragment in fragments:
        assert fragment in line, f"{fragment!r} is not in {line!r}"


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from veriloop.cli.main import main
main()
"""
