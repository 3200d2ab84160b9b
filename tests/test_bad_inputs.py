"""Bad input, case by case: one clear line on stderr, exit code 2, nothing lost and nothing half-written."""

import gzip
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from veriloop.cli.main import main
from veriloop.config import load_plan, plan_from
from veriloop.loop import run
from veriloop.store.folder import RunFolder
from veriloop.testing.broken import cut

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


def _assert_refused(outcome, *fragments):
    code, _, err = outcome
    assert code == 2, err
    *progress, line = err.strip().splitlines()
    assert line.startswith("error: ")
    told = ("start model done", "verified round 1: ", "  such as ")
    assert all(p.startswith(told) or p.endswith(" done") or " done: " in p for p in progress), progress
    for fragment in fragments:
        assert fragment in line, f"{fragment!r} is not in {line!r}"


def _human(store: str, **settings: object) -> dict:
    return {"verifier": {"kind": "human", "store": store, **settings}, "acceptance": "accept_all"}


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
    "rounds text": ({"rounds": "six"}, "rounds", "six", "expected a whole number"),
    "rounds quoted": ({"rounds": "6"}, "rounds", "expected a whole number, without quotes"),
    "rounds true": ({"rounds": True}, "rounds: got 'true', expected a whole number"),
    "fraction true": ({"acceptance": {"kind": "top_fraction", "fraction": True}}, "fraction", "a number"),
    "fraction quoted": (
        {"acceptance": {"kind": "top_fraction", "fraction": "0.1"}},
        "acceptance.fraction",
        "a number, without quotes",
    ),
    "threshold of nan": ({"acceptance": {"kind": "threshold", "at": math.nan}}, "at", "a finite number"),
    "threshold of inf": ({"acceptance": {"kind": "threshold", "at": math.inf}}, "at", "a finite number"),
    "numbers in a list": ({"schedule": {"kind": "list", "n": [True, 3]}}, "schedule.n.0", "a whole number"),
    "limit quoted": ({"max_candidates": "90"}, "max_candidates", "a whole number, without quotes"),
    "true in words": ({"keep_rejected": "yes"}, "keep_rejected", "got '\"yes\"'"),
    "true as 1": ({"keep_rejected": 1}, "keep_rejected: got '1', expected true or false"),
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
    "arms in a list of mappings": ({"arms": [{"verified": {}}]}, "arms", "[verified, unverified]"),
    "arms in a list of lists": ({"arms": [["verified"]]}, "arms", "[verified, unverified]"),
    "an arm twice": ({"arms": ["verified", "verified"]}, "arms: duplicate name", "verified"),
    "a list for a part": ({"learner": [1]}, "learner: not a part", "a mapping with a key 'kind'"),
    "a number for a part": ({"learner": 3}, "learner: not a part", "a mapping with a key 'kind'"),
    "nothing for a part": ({"learner": None}, "learner: not a part", "a mapping with a key 'kind'"),
    "a part for metrics": ({"metrics": "frechet"}, "metrics", "frechet"),
    "relative module": ({"learner": ".x:y"}, "learner: kind", "got '.x:y'", "the module's full name"),
    "no module": ({"learner": ":y"}, "learner: kind", "package.module:Class"),
    "nothing at all": ({"learner": ":"}, "learner: kind", "package.module:Class"),
    "no class": ({"learner": "os:"}, "learner: kind", "package.module:Class"),
    "empty package": ({"learner": "a..b:C"}, "learner: kind", "package.module:Class"),
    "two colons": ({"learner": "a:b:C"}, "learner: kind", "package.module:Class"),
    "a function as part": ({"learner": "os:system"}, "'os:system' is not one of the veriloop.learners"),
    "a family as part": ({"learner": "veriloop.learners.base:Learner"}, "base class of its family"),
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
    "two equal metrics": (
        {"metrics": [f"{TINY}:TinyMetric"] * 2},
        "two metrics measure the same quantity",
        "gap",
    ),
    "workers": ({"executor": {"kind": "process", "workers": 0}}, "executor.workers", "greater than 0"),
    "no such module": ({"learner": "no.module:Learner"}, "cannot import 'no.module:Learner'"),
    "no such class": ({"learner": f"{TINY}:Nothing"}, "has no 'Nothing'"),
    "other family": ({"learner": f"{TINY}:TinyVerifier"}, "not one of the veriloop.learners"),
    "start set too large": ({"dataset": {"kind": "digits", "start": 99_999}}, "99999"),
    "no folder of images": ({"dataset": {"kind": "idx", "path": "/no/such/folder"}}, "/no/such/folder"),
    "stop without a reason": ({"stop": {"quantity": "gap"}}, "stop", "when: missing"),
    "stop for an unknown reason": ({"stop": {"when": "bored"}}, "when", "bored", "'budget'"),
    "stop without a quantity": ({"stop": {"when": "plateau"}}, "stop: no quantity"),
    "stop by the old word": ({"stop": {"when": "plateau", "metric": "gap"}}, "Write quantity: gap"),
    "stop without a budget": ({"stop": {"when": "budget"}}, "stop: no budget", "seconds, or candidates"),
    "stop by both": ({"stop": {"when": "plateau", "quantity": "gap", "seconds": 9}}, "expected when: budget"),
    "stop by an unmeasured quantity": ({"stop": {"when": "plateau", "quantity": "fid"}}, "'fid'", "gap"),
    "stop without patience": (
        {"stop": {"when": "reversal", "quantity": "gap", "patience": 0}},
        "stop.patience",
        "greater than 0",
    ),
    "store of another kind": (_human("mysql://me@here/x"), "got 'mysql'", "sqlite:///FILE or postgresql://"),
    "store that is no URL": (_human("verdicts.db"), "got 'verdicts.db'", "sqlite:///FILE or postgresql://"),
    "store in memory": (_human("sqlite://"), "Use a file, so that verdicts are kept"),
    "store out of reach": (_human("sqlite:////no/such/folder/x.db"), "/no/such/folder/x.db"),
    "nobody to ask": (_human("sqlite:///x.db", annotators_per_sample=0), "annotators_per_sample"),
    "never accepted": (
        {"acceptance": {"kind": "threshold", "at": 99}, "max_candidates": 100, "arms": ["verified"]},
        "100 candidates were not enough",
        "In a new --out, raise max_candidates",
    ),
}

FOUND_LATE = {"never accepted", "store out of reach"}
"""What only shows when the run is under way."""


@pytest.mark.parametrize("case", SETTINGS)
def test_settings(case, veriloop, config, tmp_path):
    changes, *fragments = SETTINGS[case]
    out = tmp_path / "run"
    _assert_refused(veriloop("run", config(**changes), "--out", out, "--plain"), *fragments)
    assert case in FOUND_LATE or not out.exists(), "a refused configuration must leave nothing"


MODULES = {
    "syntax": ("def broken(:", "SyntaxError"),
    "error": ("1 / 0", "ZeroDivisionError"),
    "exit": ("import sys; sys.exit(3)", "SystemExit"),
    "no such package": ("import no_such_package", "no_such_package"),
    "attribute": ("import os; os.nothing", "AttributeError"),
    "incomplete": (
        "from veriloop.learners.base import Learner\nclass Mine(Learner, frozen=True): pass",
        "no method fit",
    ),
    "own check": (
        "from veriloop.testing.tiny import TinyLearner\n"
        "from pydantic import model_validator\n"
        "class Mine(TinyLearner, frozen=True):\n"
        "    @model_validator(mode='after')\n"
        "    def _no(self): return {}['x']",
        "KeyError",
    ),
}


@pytest.mark.parametrize("case", MODULES)
def test_modules_that_cannot_be_imported(case, veriloop, config, tmp_path, monkeypatch):
    content, fragment = MODULES[case]
    name = f"mine_{case.replace(' ', '_')}"
    (tmp_path / f"{name}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    _assert_refused(veriloop("validate", config(learner=f"{name}:Mine")), "learner", fragment)


FILES = {
    "key twice": (b"rounds: 1\nrounds: 2", "line 2", "key 'rounds' occurs here and in line 1"),
    "key no text": (b"1: 2", "line 1", "put it in quotes"),
    "an alias bomb": (b"a: &a [1]\nb: &b [*a, *b]", "an alias occurs inside its own value"),
    "large": (b"#" * 1_000_001, "1,000,001 bytes"),
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


def test_a_folder_is_no_configuration(veriloop, tmp_path):
    _assert_refused(veriloop("validate", tmp_path), "cannot read configuration")


def test_an_override_changes_one_place_only(tmp_path):
    path = tmp_path / "config.yaml"
    arms = "arms: {a: &a {schedule: {kind: constant, n: 9}}, b: *a}"
    rest = {key: value for key, value in CONFIG.items() if key != "schedule"}
    path.write_text(f"{yaml.safe_dump(rest)}{arms}\n")
    plan = load_plan(path, ["arms.a.schedule.n=4"])
    assert [arm.schedule and arm.schedule.wanted(1) for arm in plan.arms.values()] == [4, 9]


OVERRIDES = {
    "arms.x={1: {}}": "key 1 is not text",
    "rounds=1:30": "expected a whole number",
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
    cut(finished.path, len(finished.records()) - 2)  # so that round 2 is to be done again
    path = finished.path / name
    path.write_bytes(path.read_bytes()[:20] + b"\n" if case == "records" else path.read_bytes()[:20])
    if case == "kept samples":
        manifest = finished.manifest()
        for arm in manifest.config["arms"].values():
            arm["policy"] = {"kind": "accumulate"}
        finished.write_manifest(manifest)
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
    _assert_refused(veriloop(*(stand_for.get(x, x) for x in arguments)), *fragments)
    assert _files(finished.path) == before


def test_a_forecast_of_too_few_rounds_says_so(veriloop, finished):
    code, out, _ = veriloop("forecast", finished.path, "--arm", "all_real")
    assert (code, out.startswith("Cannot tell yet: gap was measured in 2 rounds")) == (0, True)


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
    "no such column": (
        '{"a": "b"}\n' * 9,
        {"columns": {"prompt": "question"}},
        "pairs.jsonl: no column 'question'",
    ),
    "empty text": ('{"document": "a", "summary": ""}', {}, "pairs.jsonl, line 1: column 'summary' is empty"),
    "prompts to start from": (
        "".join(f'{{"document": "{i}"}}\n' for i in range(20)),
        {"columns": {"completion": None}},
        "Set start: 0",
    ),
    "column setting": ("", {"columns": {"promt": "a"}}, "Did you mean 'prompt'?"),
    "an old column setting": ("", {"columns": {"document": "a"}}, "columns.document is now columns.prompt"),
    "held out": ('{"document": "a", "summary": "b"}', {}, "held_out leaves no pairs"),
}


@pytest.mark.parametrize("case", TEXT)
def test_text_files(case, veriloop, config, tmp_path):
    content, settings, fragment = TEXT[case]
    (tmp_path / "pairs.jsonl").write_text(content)
    dataset = {"kind": "text", "files": str(tmp_path / "pairs.jsonl"), **settings}
    _assert_refused(
        veriloop("run", config(dataset=dataset, balance=None), "--out", tmp_path / "run"), fragment
    )


def test_data_that_are_not_there_are_named_with_the_remedy(veriloop, config, tmp_path, monkeypatch):
    monkeypatch.setenv("VERILOOP_DATA", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, "datasets", None)  # as where the extra is not installed
    outcome = veriloop("run", config(dataset="mnist"), "--out", tmp_path / "run")
    _assert_refused(outcome, "mnist", "VERILOOP_DATA")


# -- language models ----------------------------------------------------------------------------------------

END = "<|end|>"


@pytest.fixture
def language(tmp_path, config, monkeypatch):
    """Writes a configuration that trains a tiny language model on questions, with changes to it."""
    pytest.importorskip("transformers")
    from veriloop.testing.language import save_tiny_language

    rows = [{"document": f"What is {a} plus {a}?", "summary": str(2 * a)} for a in range(30)]
    (tmp_path / "pairs.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (tmp_path / "no_checks.py").write_text(
        "def never(row):\n    return False\ndef fails(row):\n    return row['answer']"
    )
    monkeypatch.chdir(tmp_path)  # where the checks can be imported from
    save_tiny_language(tmp_path / "model", [row["document"] for row in rows])

    def write(learner: dict, **changes) -> Path:
        learner = {
            "kind": "causal_lm",
            "model": str(tmp_path / "model"),
            "prompt": {"max_tokens": 40},
            "decoding": {"max_new_tokens": 4},
            **learner,
        }
        settings = {
            "rounds": 1,
            "dataset": {"kind": "text", "files": str(tmp_path / "pairs.jsonl")},
            "verifier": {"kind": "function", "function": "no_checks:never"},
            "acceptance": {"kind": "threshold"},
            "balance": "ABSENT",
            "metrics": ["text_form"],
            "arms": ["verified"],
            "max_candidates": 40,
        }
        return config(**{**settings, **changes}, learner=learner)

    return write


def _tokenizer_without(name: str):
    def change(model: Path) -> None:
        path = model / "tokenizer_config.json"
        path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != name}))

    return change


def _weights(content: bytes, name: str = "model.safetensors"):
    def change(model: Path) -> None:
        (model / "model.safetensors").unlink()
        (model / name).write_bytes(content)

    return change


MODELS = {
    "no chat template": (None, {"prompt": {"chat": True}}, "no chat template", "chat: false"),
    "no end of text": (_tokenizer_without("eos_token"), {}, "no end-of-text token", "Set eos_token"),
    "weights cut short": (_weights(b"\x08"), {}, "cannot be loaded", "model.safetensors"),
    "weights of another kind": (_weights(b"none", "pytorch_model.bin"), {}, "no weights as safetensors"),
    "no tokenizer": (lambda model: (model / "tokenizer.json").unlink(), {}, "tokenizer.json"),
    "not a model": (lambda model: (model / "config.json").write_text("{}"), {}, "cannot be loaded"),
    "an empty folder": (lambda model: (model / "config.json").unlink(), {}, "no file", "config.json"),
    "no folder": (None, {"model": "./nowhere"}, "no model in './nowhere'", "expected a folder with"),
    "too long a template": (
        None,
        {"prompt": {"max_tokens": 3, "template": "What is it, then? {document}"}},
        "too long even without its 'document'",
    ),
    "no such column": (None, {"prompt": {"completion": "reply"}}, "'reply'", "document (prompt), summary"),
    "no hub": (
        None,
        {"model": "somebody/a-model"},
        "model 'somebody/a-model' is neither here nor available",
        "run: hf download somebody/a-model --local-dir DIR; then set model to DIR",
    ),
}


@pytest.mark.parametrize("case", MODELS)
def test_language_models(case, veriloop, language, tmp_path, monkeypatch):
    change, learner, *fragments = MODELS[case]
    path = language(learner)
    if change:
        change(tmp_path / "model")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.delenv("VERILOOP_DATA", raising=False)
    _assert_refused(veriloop("run", path, "--out", tmp_path / "run", "--plain"), *fragments)
    assert not (tmp_path / "run" / "records.jsonl").exists()


UNKEPT = {
    "all rejected": ("never", "0 accepted, 40 rejected, 0 abstained, 0 kept", "In a new --out, raise max_"),
    "all fail": ("fails", "40 abstained (most often: KeyError: 'answer'), 0 kept", "fix the verifier"),
}


@pytest.mark.parametrize("case", UNKEPT)
def test_nothing_to_train_on(case, veriloop, language, tmp_path):
    function, *fragments = UNKEPT[case]
    verifier = {"kind": "function", "function": f"no_checks:{function}"}
    path = language({}, verifier=verifier, on_exhausted="train_with_fewer")
    _assert_refused(veriloop("run", path, "--out", "run", "--plain"), *fragments)
    assert [r.round for r in RunFolder(tmp_path / "run").records()] == [0], "the start model is not lost"


def test_a_tokenizer_without_a_pad_token_is_no_mistake(veriloop, language, tmp_path):
    assert "pad_token" not in (tmp_path / "model" / "tokenizer_config.json").read_text()
    path = language({}, verifier="reference", acceptance={"kind": "top_fraction", "fraction": 0.75})
    code, _, err = veriloop("run", path, "--out", tmp_path / "run", "--plain")
    assert code == 0, err


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


def test_a_disk_that_fills_while_a_language_model_is_saved(veriloop, language, tmp_path):
    settings = {"verifier": "reference", "acceptance": {"kind": "top_fraction", "fraction": 0.75}}
    out = tmp_path / "run"
    arguments = ["run", str(language({}, **settings)), "--out", str(out), "--plain"]
    done = subprocess.run([sys.executable, "-c", FULL, "50000", *arguments], capture_output=True, text=True)
    _assert_refused((done.returncode, done.stdout, done.stderr), "cannot write", "File too large")
    assert RunFolder(out).records() == []
    assert veriloop(*arguments)[0] == 0
    assert len(RunFolder(out).records()) == 2


def test_there_are_at_least_forty_cases():
    tables = (SETTINGS, FILES, OVERRIDES, DAMAGE, EXPORTS, VERBS, IDX, TEXT, MODELS, UNKEPT)
    assert sum(map(len, tables)) >= 40
