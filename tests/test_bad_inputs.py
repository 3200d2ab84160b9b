"""Bad input, case by case: one clear line on stderr, exit code 2, nothing lost and nothing half-written."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from veriloop.cli.main import main
from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.store.folder import RunFolder

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


def _assert_refused(outcome, *fragments):
    code, _, err = outcome
    assert code == 2, err
    *progress, line = err.strip().splitlines()
    assert line.startswith("error: ")
    assert all("done" in p or "kept 0 of" in p for p in progress), f"more than one line: {progress}"
    for fragment in fragments:
        assert fragment in line, f"{fragment!r} is not in {line!r}"


SETTINGS = {
    "unknown key": ({"sheduler": 1}, "sheduler: unknown key", "Did you mean 'schedule'?"),
    "no dataset": ({"dataset": "ABSENT"}, "dataset: missing"),
    "no learner": ({"learner": "ABSENT"}, "learner: missing"),
    "dataset kind": ({"dataset": "digit"}, "dataset", "got 'digit'", "Did you mean 'digits'?"),
    "learner kind": ({"learner": {"kind": "vae"}}, "learner", "got 'vae'", "Did you mean 'cvae'?"),
    "no kind": ({"learner": {"epochs": 3}}, "learner: no kind given", "cvae"),
    "verifier kind": ({"verifier": "discriminater"}, "verifier", "Did you mean 'discriminator'?"),
    "acceptance kind": ({"acceptance": "top"}, "acceptance", "threshold, top_fraction"),
    "metric kind": ({"metrics": ["frechett"]}, "metrics.0", "Did you mean 'frechet'?"),
    "policy kind": ({"policy": "acumulate"}, "policy", "Did you mean 'accumulate'?"),
    "field of a part": (
        {"acceptance": {"kind": "top_fraction", "fracton": 0.1}},
        "acceptance: unknown key 'fracton'",
        "Did you mean 'fraction'?",
    ),
    "fraction 0": (
        {"acceptance": {"kind": "top_fraction", "fraction": 0}},
        "acceptance.fraction",
        "greater than 0",
    ),
    "fraction 2": ({"acceptance": {"kind": "top_fraction", "fraction": 2}}, "less than or equal to 1"),
    "fraction text": ({"acceptance": {"kind": "top_fraction", "fraction": "many"}}, "fraction", "number"),
    "rounds 0": ({"rounds": 0}, "rounds: got '0', expected greater than 0"),
    "rounds text": ({"rounds": "six"}, "rounds", "six", "integer"),
    "rounds half": ({"rounds": 2.5}, "rounds", "2.5", "integer"),
    "seed": ({"seed": -1}, "seed", "-1", "greater than or equal to 0"),
    "chunk size": ({"chunk_size": 0}, "chunk_size", "greater than 0"),
    "threads": ({"threads": 0}, "threads", "greater than 0"),
    "no schedule": ({"schedule": "ABSENT"}, "arms.verified", "no schedule"),
    "schedule without n": ({"schedule": {"kind": "constant"}}, "schedule.n: missing"),
    "schedule of 0": ({"schedule": {"kind": "constant", "n": 0}}, "schedule.n", "greater than 0"),
    "schedule shrinking": ({"schedule": {"kind": "geometric", "start": 9, "ratio": 0.5}}, "ratio"),
    "schedule empty": ({"schedule": {"kind": "list", "n": []}}, "schedule.n", "at least 1"),
    "unknown arm": ({"arms": ["verfied"]}, "arms", "Did you mean 'verified'?"),
    "arms number": ({"arms": 3}, "arms: got '3'"),
    "no arms": ({"arms": []}, "arms", "at least 1"),
    "arm with a path": ({"arms": {"../x": {}}}, "arms.../x"),
    "arm called start": ({"arms": {"start": {}}}, "start"),
    "arm not a mapping": ({"arms": {"a": 3}}, "arms.a", "a mapping of settings"),
    "scores without verifier": (
        {"arms": {"a": {"verifier": None, "acceptance": "threshold"}}},
        "arms.a",
        "needs scores",
    ),
    "density ratio of a ranking": (
        {"acceptance": {"kind": "density_ratio", "bound": 10}},
        "arms.verified",
        "whose scores only rank",
        "calibration: 0.1",
    ),
    "density ratio without a bound": ({"acceptance": "density_ratio"}, "got 'neither'", "either bound"),
    "on_exhausted": ({"on_exhausted": "panic"}, "on_exhausted", "'raise', 'train_with_fewer' or 'stop'"),
    "parallel": ({"parallel": "all"}, "parallel", "'arms' or 'chunks'"),
    "real share": ({"policy": {"kind": "mix", "real_share": 1}}, "real_share", "less than 1"),
    "balance": ({"balance": "lable"}, "balance", "got 'lable'", "label"),
    "two equal metrics": ({"metrics": [f"{TINY}:TinyMetric"] * 2}, "two metrics give the same number", "gap"),
    "workers": ({"executor": {"kind": "process", "workers": 0}}, "executor.workers", "greater than 0"),
    "no such module": ({"learner": "no.module:Learner"}, "cannot import 'no.module:Learner'"),
    "no such class": ({"learner": f"{TINY}:Nothing"}, "has no 'Nothing'"),
    "other family": ({"learner": f"{TINY}:TinyVerifier"}, "not one of the veriloop.learners"),
    "start set too large": ({"dataset": {"kind": "digits", "start": 99_999}}, "99999"),
    "no folder of images": ({"dataset": {"kind": "idx", "path": "/no/such/folder"}}, "/no/such/folder"),
    "never accepted": (
        {"acceptance": {"kind": "threshold", "at": 99}, "max_candidates": 100},
        "100 candidates were not enough",
        "Raise max_candidates",
    ),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_settings(case, veriloop, config, tmp_path):
    changes, *fragments = SETTINGS[case]
    out = tmp_path / "run"
    _assert_refused(veriloop("run", config(**changes), "--out", out, "--plain"), *fragments)
    assert case == "never accepted" or not out.exists(), "a refused configuration must leave nothing"


FILES = {
    "missing": (None, "cannot read configuration"),
    "broken": (b"a: [1, 2", "line 1", "not valid YAML"),
    "binary": (b"\x80\x81\x82", "not valid YAML"),
    "empty": (b"", "a mapping of settings"),
    "list": (b"- 1\n- 2\n", "a mapping of settings"),
}


@pytest.mark.parametrize("case", FILES)
def test_configuration_files(case, veriloop, tmp_path):
    content, *fragments = FILES[case]
    path = tmp_path / "config.yaml"
    if content is not None:
        path.write_bytes(content)
    _assert_refused(veriloop("validate", path), *fragments)


OVERRIDES = {
    "rounds": "KEY.KEY=VALUE",
    "=3": "KEY.KEY=VALUE",
    "rounds=[1": "not valid YAML",
    "rounds.x=1": "rounds is not a mapping",
    "schedule.m=1": "unknown key 'm'",
}


@pytest.mark.parametrize("override", OVERRIDES)
def test_overrides(override, veriloop, config):
    _assert_refused(veriloop("validate", config(), "--set", override), OVERRIDES[override])


# -- run folders: what was there stays there ------------------------------------------------------------


@pytest.fixture
def finished(tmp_path):
    return run(plan_from(CONFIG), tmp_path / "run")


def _files(folder: Path) -> dict[str, bytes]:
    """Everything but what says how the last attempt went."""
    changing = {"manifest.json", "events.jsonl", "lock", "report.html"}
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name not in changing}


def test_a_run_is_not_overwritten(veriloop, config, finished):
    before = _files(finished.path)
    _assert_refused(veriloop("run", config(), "--out", finished.path), "already", "--resume if-possible")
    assert _files(finished.path) == before


def test_another_config_is_refused(veriloop, config, finished):
    before = _files(finished.path)
    outcome = veriloop("run", config(rounds=5), "--out", finished.path, "--resume", "if-possible")
    _assert_refused(outcome, "another configuration", "rounds: 2 -> 5")
    assert _files(finished.path) == before


def test_a_folder_of_other_files_is_refused(veriloop, config, tmp_path):
    _assert_refused(veriloop("run", config(), "--out", tmp_path), "not a run's")


def test_a_file_in_place_of_a_folder(veriloop, config, tmp_path):
    (tmp_path / "file").write_text("mine")
    _assert_refused(veriloop("run", config(), "--out", tmp_path / "file" / "run"), "cannot write")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("verb", ["resume", "report", "list"])
def test_nothing_there(verb, veriloop, tmp_path):
    _assert_refused(veriloop(verb, tmp_path / "nothing"), "nothing")


def test_resume_always_needs_a_run(veriloop, config, tmp_path):
    _assert_refused(veriloop("run", config(), "--out", tmp_path / "x", "--resume", "always"), "no run in")


DAMAGE = {
    "manifest": ("manifest.json", "manifest.json cannot be read"),
    "records": ("records.jsonl", "line 1, is not a record"),
    "weights": ("round_1/verified/generator/model.safetensors", "round_1/verified"),
    "kept samples": ("round_1/verified/kept.npz", "kept.npz"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_folders(case, veriloop, finished):
    name, fragment = DAMAGE[case]
    records = finished.path / "records.jsonl"
    lines = records.read_text().splitlines()
    records.write_text("".join(f"{line}\n" for line in lines[:-2]))  # so that round 2 is to be done again
    path = finished.path / name
    path.write_bytes(path.read_bytes()[:20] + b"\n" if case == "records" else path.read_bytes()[:20])
    manifest = finished.path / "manifest.json"
    if case == "kept samples":
        content = json.loads(manifest.read_text())
        for arm in content["config"]["arms"].values():
            arm["policy"] = {"kind": "accumulate"}
        manifest.write_text(json.dumps(content))
    before = _files(finished.path)
    _assert_refused(veriloop("resume", finished.path), fragment)
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
    _assert_refused(outcome, *fragments)
    assert not list(tmp_path.glob("kept*")), "nothing half-written"


def test_a_second_process_on_the_same_folder(veriloop, finished):
    with RunFolder(finished.path).lock():
        _assert_refused(veriloop("resume", finished.path), "another process is writing", "process ")


# -- data ---------------------------------------------------------------------------------------------------


def _idx_folder(path: Path, images: bytes, labels: bytes) -> Path:
    path.mkdir()
    for split in ("train", "t10k"):
        (path / f"{split}-images-idx3-ubyte.gz").write_bytes(images)
        (path / f"{split}-labels-idx1-ubyte.gz").write_bytes(labels)
    return path


IMAGES = b"\x00\x00\x08\x03\x00\x00\x00\x02\x00\x00\x00\x04\x00\x00\x00\x04" + b"\x80" * 32
LABELS = b"\x00\x00\x08\x01\x00\x00\x00\x02\x00\x01"
IDX = {
    "not gzip": (b"plain", gzip.compress(LABELS), "train-images"),
    "cut short": (gzip.compress(IMAGES[:30]), gzip.compress(LABELS), "train-images"),
    "other magic": (gzip.compress(b"\x00\x00\x09\x03" + IMAGES[4:]), gzip.compress(LABELS), "train-images"),
    "other counts": (gzip.compress(IMAGES), gzip.compress(LABELS[:7] + b"\x01\x00"), ""),
}


@pytest.mark.parametrize("case", IDX)
def test_image_files(case, veriloop, config, tmp_path):
    images, labels, fragment = IDX[case]
    folder = _idx_folder(tmp_path / "images", images, labels)
    path = config(dataset={"kind": "idx", "path": str(folder), "start": 1})
    _assert_refused(veriloop("run", path, "--out", tmp_path / "run"), str(folder), fragment)


TEXT = {
    "broken line": ('{"document": "a", "summary": "b"}\n{', {}, "pairs.jsonl, line 2: broken JSON"),
    "no such column": ('{"article": "a"}', {}, "pairs.jsonl, line 1: no column 'document', 'summary'"),
    "empty text": ('{"document": "a", "summary": ""}', {}, "pairs.jsonl, line 1: column 'summary' is empty"),
    "column setting": ("", {"columns": {"documnt": "a"}}, "Did you mean 'document'?"),
    "held out": ('{"document": "a", "summary": "b"}', {}, "held_out leaves no pairs"),
}


@pytest.mark.parametrize("case", TEXT)
def test_text_files(case, veriloop, config, tmp_path):
    content, settings, fragment = TEXT[case]
    (tmp_path / "pairs.jsonl").write_text(content)
    dataset = {"kind": "text", "files": str(tmp_path / "pairs.jsonl"), **settings}
    _assert_refused(veriloop("run", config(dataset=dataset), "--out", tmp_path / "run"), fragment)


def test_data_that_are_not_there_are_named_with_the_remedy(veriloop, config, tmp_path, monkeypatch):
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "datasets", None)  # as where the extra is not installed
    outcome = veriloop("run", config(dataset="mnist"), "--out", tmp_path / "run")
    _assert_refused(outcome, "mnist", "VERILOOP_DATA")


# -- a full disk ---------------------------------------------------------------------------------------

FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)), resource.RLIM_INFINITY))
from veriloop.cli.main import main
main()
"""


@pytest.mark.parametrize("limit", [200, 2_000, 4_000])
def test_a_full_disk_loses_no_finished_round(limit, veriloop, config, tmp_path):
    out = tmp_path / "run"
    arguments = [str(config(metrics=[])), "--out", str(out), "--plain", "--resume", "if-possible"]
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(limit), "run", *arguments], capture_output=True, text=True
    )
    _assert_refused((done.returncode, done.stdout, done.stderr), "cannot write", "File too large")
    before = RunFolder(out).records() if RunFolder(out).exists() else []
    assert veriloop("run", *arguments)[0] == 0
    after = RunFolder(out).records()
    assert len(after) == 3 + 3 + 2
    assert after[: len(before)] == before, "what had finished is not done again"


def test_there_are_at_least_forty_cases():
    tables = (SETTINGS, FILES, OVERRIDES, DAMAGE, EXPORTS, IDX, TEXT)
    assert sum(map(len, tables)) >= 40
