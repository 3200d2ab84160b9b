"""Run folders that are in use, damaged or of another run: one line, exit code 2, nothing lost."""

import subprocess
import sys
from pathlib import Path

import pytest

from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.store.folder import RunFolder
from veriloop.testing.broken import cut

from .conftest import CONFIG, FULL, assert_refused


@pytest.fixture
def finished(tmp_path):
    return run(plan_from(CONFIG), tmp_path / "run")


def _files(folder: Path) -> dict[str, bytes]:
    """Everything but what says how the last attempt went."""
    changing = {"manifest.json", "events.jsonl", "lock", "report.html"}
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in changing}


def test_a_run_is_not_overwritten(veriloop, config, finished):
    before = _files(finished.path)
    assert_refused(veriloop("run", config(), "--out", finished.path), "already", "--resume if-possible")
    assert _files(finished.path) == before


def test_another_config_is_refused(veriloop, config, finished):
    before = _files(finished.path)
    outcome = veriloop("run", config(rounds=5), "--out", finished.path, "--resume", "if-possible")
    assert_refused(outcome, "another configuration", "rounds: 2 -> 5")
    assert _files(finished.path) == before


def test_a_folder_of_other_files_is_refused(veriloop, config, tmp_path):
    assert_refused(veriloop("run", config(), "--out", tmp_path), "not a run's")


def test_a_file_in_place_of_a_folder(veriloop, config, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert_refused(veriloop("run", config(), "--out", tmp_path / "file" / "run"), "cannot write")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("verb", ["resume", "report", "list"])
def test_nothing_there(verb, veriloop, tmp_path):
    assert_refused(veriloop(verb, tmp_path / "nothing"), "nothing")


def test_resume_always_needs_a_run(veriloop, config, tmp_path):
    assert_refused(veriloop("run", config(), "--out", tmp_path / "x", "--resume", "always"), "no run in")


DAMAGE = {
    "manifest": ("manifest.json", "manifest.json cannot be read"),
    "records": ("records.jsonl", "line 1, is not a record"),
    "weights": ("round_1/verified/generator/model.safetensors", "round_1/verified"),
    "kept samples": ("round_1/verified/kept.npz", "kept.npz"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_folders(case, veriloop, finished):
    name, fragment = DAMAGE[case]
    cut(finished.path, len(finished.records()) - 2)  # so that round 2 is to be done again
    path = finished.path / name
    path.write_bytes(path.read_bytes()[:20] + b"\n" if case == "records" else path.read_bytes()[:20])
    if case == "kept samples":
        manifest = finished.manifest()
        for arm in manifest.config["arms"].values():
            arm["policy"] = {"kind": "accumulate"}
        finished.write_manifest(manifest)
    before = _files(finished.path)
    assert_refused(veriloop("resume", finished.path), fragment)
    assert _files(finished.path) == before


EXPORTS = {
    "round": ({"--round": 9}, "9"),
    "arm": ({"--arm": "verifed"}, "verifed", "verified"),
    "kind of file": ({"--to": "kept.doc"}, ".parquet"),
    "round without samples": ({"--round": 0}, "0"),
}


@pytest.mark.parametrize("case", EXPORTS)
def test_exports(case, veriloop, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes, *fragments = EXPORTS[case]
    options = {"--round": 1, "--arm": "verified", "--to": "kept.parquet", **changes}
    outcome = veriloop("export", finished.path, *[x for pair in options.items() for x in pair])
    assert_refused(outcome, *fragments)
    assert not list(tmp_path.glob("kept*")), "nothing half-written"


VERBS = {
    "calibrate an arm": (["calibrate", "RUN", "--arm", "verfied"], "'verfied'", "verified"),
    "calibrate without a verifier": (["calibrate", "RUN", "--arm", "unverified"], "has no verifier"),
    "calibrate a round": (["calibrate", "RUN", "--round", "9"], "9"),
    "calibrate nothing": (["calibrate"], "either a run folder or --table FILE"),
    "calibrate no run": (["calibrate", "nowhere"], "no such run folder"),
    "calibrate no table": (["calibrate", "--table", "no.csv", "--score", "a", "--known", "b"], "no.csv"),
    "calibrate a column": (["calibrate", "--table", "TABLE", "--score", "x", "--known", "b"], "'x'", "a, b"),
    "calibrate other known": (["calibrate", "--table", "TABLE", "--score", "a", "--known", "b"], "'maybe'"),
    "forecast no run": (["forecast", "nowhere"], "nowhere"),
    "forecast an arm": (["forecast", "RUN", "--arm", "verfied"], "'verfied'", "verified, unverified"),
    "forecast a metric": (["forecast", "RUN", "--metric", "fid"], "'fid'", "one of gap"),
    "import no file": (["verdicts", "import", "RUN", "no.json"], "got 'none', expected one human verifier"),
    "export nobody's": (["verdicts", "export", "RUN", "--to", "x.json"], "expected one human verifier"),
    "export no run": (["verdicts", "export", "nowhere", "--to", "x.json"], "nowhere"),
    "serve nothing": (["serve", "nowhere"], "no such folder: nowhere"),
    "serve all the world": (["serve", ".", "--host", "0.0.0.0"], "--host 0.0.0.0", "--token"),
    "serve with an empty token": (["serve", ".", "--token", " "], "--token"),
    "serve an unknown host": (["serve", ".", "--host", "no.such.host.", "--token", "x"], "cannot listen on"),
}


@pytest.mark.parametrize("case", VERBS)
def test_verbs_on_a_finished_run(case, veriloop, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "table.csv").write_text("a,b\n1,yes\n2,maybe\n")
    arguments, *fragments = VERBS[case]
    stand_for = {"RUN": finished.path, "TABLE": "table.csv"}
    before = _files(finished.path)
    assert_refused(veriloop(*(stand_for.get(x, x) for x in arguments)), *fragments)
    assert _files(finished.path) == before


def test_a_forecast_of_too_few_rounds_says_so(veriloop, finished):
    code, out, _ = veriloop("forecast", finished.path, "--arm", "all_real")
    assert (code, out.startswith("Cannot tell yet: gap was measured in 2 rounds")) == (0, True)


def test_a_second_process_on_the_same_folder(veriloop, finished):
    with RunFolder(finished.path).lock():
        assert_refused(veriloop("resume", finished.path), "another process is writing", "process ")


@pytest.mark.parametrize("limit", [200, 2_000, 4_000])
def test_a_full_disk_loses_no_finished_round(limit, veriloop, config, tmp_path):
    out = tmp_path / "run"
    arguments = [str(config(metrics=[])), "--out", str(out), "--plain", "--resume", "if-possible"]
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(limit), "run", *arguments], capture_output=True, text=True
    )
    assert_refused((done.returncode, done.stdout, done.stderr), "cannot write", "File too large")
    before = RunFolder(out).records() if RunFolder(out).exists() else []
    assert veriloop("run", *arguments)[0] == 0
    after = RunFolder(out).records()
    assert len(after) == 3 + 3 + 2
    assert after[: len(before)] == before, "what had finished is not done again"
