"""Samples out to Label Studio, and verdicts back."""

import json
from pathlib import Path


def test_a_run_goes_on_with_imported_verdicts(veriloop, config: Path, tmp_path: Path) -> None:
    store, out, file = f"sqlite:///{tmp_path}/verdicts.db", tmp_path / "run", tmp_path / "tasks.json"
    settings = [f"verifier={{kind: human, store: '{store}', known: 0}}", "acceptance=accept_all", "rounds=1"]
    options = [option for setting in [*settings, "balance=null"] for option in ("--set", setting)]
    assert veriloop("run", config, "--out", out, *options).code == 0
    assert veriloop("verdicts", "export", out, "--to", file).out == f"samples and verdicts: {file}\n"
    tasks = json.loads(file.read_text())
    assert len(tasks) == 60
    for task in tasks:
        choice = {"from_name": "verdict", "value": {"choices": ["accept"]}}
        task["annotations"] = [{"completed_by": 1, "result": [choice]}]
    file.write_text(json.dumps(tasks))
    assert json.loads(veriloop("verdicts", "import", out, file, "--json").out) == {
        "verdicts": 60,
        "left_out": {},
    }
    assert json.loads(veriloop("resume", out, "--json").out)["status"] == "finished"


def test_a_run_that_asks_nobody_is_told_apart(veriloop, tiny_run: Path, tmp_path: Path) -> None:
    called = veriloop("verdicts", "export", tiny_run, "--to", tmp_path / "tasks.json")
    assert called.code == 2
    assert "got 'none', expected one human verifier" in called.err
    called = veriloop("verdicts", "import", tiny_run, tmp_path / "missing.json")
    assert called.code == 2
