"""Configurations, modules and overrides that are wrong: one line on stderr, exit code 2, nothing left."""

import math

import pytest
import yaml

from veriloop.config import load_plan

from .conftest import CONFIG, TINY, assert_refused


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
    assert_refused(veriloop("run", config(**changes), "--out", out, "--plain"), *fragments)
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
    assert_refused(veriloop("validate", config(learner=f"{name}:Mine")), "learner", fragment)


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
    assert_refused(veriloop("validate", path), *fragments)


def test_a_folder_is_no_configuration(veriloop, tmp_path):
    assert_refused(veriloop("validate", tmp_path), "cannot read configuration")


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
    assert_refused(veriloop("validate", config(), "--set", override), OVERRIDES[override])
