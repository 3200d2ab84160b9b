"""The guide to plug-ins runs as it stands: its parts, its configuration, its suites."""

import importlib
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "plugins.md"


def blocks(language: str) -> dict[str, str]:
    """The guide's code in ``language`` by the file that its first line names; parts of a file joined."""
    found: dict[str, str] = {}
    for code in re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        if named := re.match(r"# ([\w.]+)(, continued)?\n", code):
            found[named[1]] = found.get(named[1], "") + code
    return found


PYTHON = blocks("python")


@pytest.fixture
def ring(tmp_path, monkeypatch):
    """The guide's files, in the working directory."""
    for name, code in {**PYTHON, **blocks("yaml")}.items():
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


def test_the_suites_pass(ring):
    importlib.import_module("test_ring").test_the_ring_keeps_the_contracts()


def test_the_schema_is_the_one_that_is_read_off(ring):
    described = importlib.import_module("ring_schema").Described()
    assert described.schema() == importlib.import_module("ring").Ring().schema()


def test_the_check_is_a_function_of_a_row(ring):
    assert importlib.import_module("my_checks").is_right({"answer": " 4", "solution": "4"}) is True


def test_what_is_packaged_is_there(ring):
    project = tomllib.loads(blocks("toml")["pyproject.toml"])["project"]
    for parts in project["entry-points"].values():
        for target in parts.values():
            module, _, name = target.partition(":")
            assert hasattr(importlib.import_module(module), name)


def test_every_family_has_its_row():
    from veriloop import testing

    rows = re.findall(r"^\| [\w ]+ \| .*`(check_\w+)\(", GUIDE.read_text(), re.MULTILINE)
    assert set(rows) == set(testing.__all__) - {"check_part"}
