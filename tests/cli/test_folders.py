"""The verbs that look at a run folder: report, list, export."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq


def test_report(veriloop, tiny_run: Path) -> None:
    path = tiny_run / "report.html"
    assert veriloop("report", tiny_run) == (0, f"report: {path}\n", "")
    assert json.loads(veriloop("report", tiny_run, "--json").out) == {
        "run": str(tiny_run),
        "report": str(path),
    }


def test_one_report_of_several_runs(veriloop, tiny_run: Path, config: Path, tmp_path: Path) -> None:
    other, out = tmp_path / "other", tmp_path / "both.html"
    assert veriloop("run", config, "--out", other, "--set", "seed=5", "--set", "rounds=1").code == 0
    called = veriloop("report", tiny_run, other, "--out", out)
    assert called.code == 0, called.err
    assert called.out.splitlines()[-1] == f"report: {out}"
    page = out.read_text()
    for run in (tiny_run, other):
        assert f"<td>{run.name}</td>" in page
        assert json.loads(veriloop("show", run, "--json").out)["verdict"] in page
    assert "Last values" in page
    assert len(page) < 1_000_000
    found = json.loads(veriloop("report", tiny_run, other, "--out", out, "--json").out)
    assert found["report"] == str(out)
    assert found["seeds"] == [0, 5]
    for arguments, said in (((tiny_run, other), "Add --out"), ((tiny_run, "--out", out), "Leave out --out")):
        refused = veriloop("report", *arguments)
        assert refused.code == 2
        assert said in refused.err


def test_list(veriloop, tiny_run: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_run, tmp_path / "[red] good")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "manifest.json").write_text('{"config"')
    called = veriloop("list", tmp_path)
    assert called.code == 0
    assert "[red] good" in called.out
    assert "3/3" in called.out
    assert "unreadable" in called.out
    good, torn = json.loads(veriloop("list", tmp_path, "--json").out)["runs"]
    assert good["rounds_done"] == {"verified": 3, "unverified": 3, "all_real": 1}
    assert good["status"] == "finished"
    assert good["result"]["verified"].startswith("Gap ")
    assert "manifest.json cannot be read" in torn["error"]


def test_list_of_an_empty_folder(veriloop, tmp_path: Path) -> None:
    assert veriloop("list", tmp_path).out == f"no runs in {tmp_path}\n"
    assert json.loads(veriloop("list", tmp_path, "--json").out) == {"runs": []}


def test_export(veriloop, tiny_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "kept.parquet"
    arguments = ("export", tiny_run, "--round", 2, "--arm", "verified", "--to", path)
    said = f"60 samples of round 2 of verified: {path} (kept.card.md next to it)\n"
    assert veriloop(*arguments) == (0, said, "")
    card = str(tmp_path / "kept.card.md")
    expected = {"file": str(path), "card": card, "rows": 60, "arm": "verified", "round": 2}
    assert json.loads(veriloop(*arguments, "--json").out) == expected
    assert {"x", "label", "round", "arm", "chunk", "row", "seed", "score", "verifier"} == set(
        pq.read_table(path).column_names
    )
