"""The guide to plug-ins keeps its promises: how short its parts are, and that its verifier helps."""

import json
import re
import sys

import pytest

from .blocks import ROOT, blocks_of

GUIDE = ROOT / "docs" / "guide" / "plugins.md"


def files(*languages: str) -> dict[str, str]:
    """The guide's files by name; parts of a file joined."""
    found: dict[str, str] = {}
    for block in blocks_of(GUIDE):
        if block.file is not None and block.language in languages:
            found[block.file] = found.get(block.file, "") + block.code
    return found


PYTHON = files("python")


@pytest.fixture
def ring(tmp_path, monkeypatch):
    """The guide's files, in the working directory."""
    for name, code in files("python", "yaml").items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in PYTHON:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.fixture
def veriloop(monkeypatch, capfd):
    from veriloop.cli.main import main

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["veriloop", *map(str, arguments)])
        capfd.readouterr()
        code = 0
        try:
            main()
        except SystemExit as e:
            code = e.code if isinstance(e.code, int) else 1
        return code, *capfd.readouterr()

    return call


def test_five_parts_take_eighty_lines():
    assert len(PYTHON["ring.py"].splitlines()) <= 80
    assert re.findall(r"^class \w+\((\w+)", PYTHON["ring.py"], re.MULTILINE) == [
        "Dataset", "Generator", "Learner", "Judge", "Verifier", "Metric"
    ]  # fmt: skip


def test_an_acceptance_rule_takes_fifteen():
    rule = PYTHON["ring_rules.py"].partition("continued\n")[2]
    assert rule.startswith("class Merciful(Pointwise")
    assert len(rule.splitlines()) <= 15


def test_the_configuration_runs_and_the_verifier_helps(ring, veriloop):
    code, out, err = veriloop("validate", "ring.yaml", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["valid"] is True
    assert veriloop("run", "ring.yaml", "--out", "runs/ring", "--plain")[0] == 0
    records = [json.loads(line) for line in (ring / "runs/ring/records.jsonl").read_text().splitlines()]
    last = {record["arm"]: record["metrics"]["off_ring"]["value"] for record in records}
    assert 2 * last["verified"] < last["unverified"]


def test_the_acceptance_rule_runs_as_well(ring, veriloop):
    rule = "acceptance={kind: 'ring_rules:Merciful', mercy: 0.01}"
    verifier = "verifier={kind: 'ring_rules:OnRing'}"
    called = veriloop(
        "run", "ring.yaml", "--out", "runs/mercy", "--set", rule, "--set", verifier, "--set", "rounds=1"
    )
    assert called[0] == 0, called[2]


def test_every_family_has_its_row():
    from veriloop import testing

    rows = re.findall(r"^\| [\w ]+ \| .*`(check_\w+)\(", GUIDE.read_text(), re.MULTILINE)
    assert set(rows) == set(testing.__all__) - {"check_part"}
