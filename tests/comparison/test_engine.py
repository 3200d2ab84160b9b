"""A comparison from plan to page, killed in between, and of runs that exist."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from veriloop.comparison.engine import Comparison, compare
from veriloop.config import plan_from
from veriloop.errors import ConfigError, RunFolderError, VeriloopError
from veriloop.executors.serial import Serial
from veriloop.loop import run
from veriloop.store.folder import RunFolder

from ..patience import until
from .test_variations import CONFIG

VARY = {"acceptance.fraction": [0.1, 0.5]}
"""As YAML, this is what the command line is given as well."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(CONFIG, tmp_path_factory.mktemp("made"), seeds=3, vary=VARY, executor=Serial())


def test_the_file_is_as_its_contract_says(made: Comparison) -> None:
    assert made.out is not None
    content = json.loads((made.out / "compare.json").read_text())
    assert content["variations"] == ["acceptance.fraction=0.1", "acceptance.fraction=0.5"]
    assert content["seeds"] == [3, 4, 5]
    for table in content["quantities"].values():
        assert {row["round"] for row in table["rows"]} == {0, 1, 2}
        for row in table["rows"]:
            assert set(row) == {"variation", "arm", "round", "mean", "low", "high", "n"}
            assert row["n"] == 3
            assert row["low"] <= row["mean"] <= row["high"]
        for found in table["differences"]:
            names = {"a", "b", "round", "mean", "low", "high", "told_apart", "seeds_needed", "arm"}
            assert names <= set(found)
            assert found["told_apart"] == (found["low"] > 0 or found["high"] < 0)
    assert {record["seed"] for record in content["records"]} == {3, 4, 5}
    assert {record["variation"] for record in content["records"]} == set(content["variations"])
    assert len(content["records"]) == 2 * 3 * 2 * 3  # variations, seeds, arms, rounds
    kept = [RunFolder(path).records() for path in sorted((made.out / "runs").iterdir())]
    assert sum(map(len, kept)) == len(content["records"])


def test_differences_are_paired_by_seed(made: Comparison) -> None:
    assert made.out is not None
    content = json.loads((made.out / "compare.json").read_text())
    name = content["headline"]
    by_seed = {
        (r["variation"], r["seed"]): r["metrics"][name]["value"]
        for r in content["records"]
        if r["round"] == 2 and r["arm"] == "verified"
    }
    a, b = content["variations"]
    expected = sum(by_seed[a, seed] - by_seed[b, seed] for seed in (3, 4, 5)) / 3
    found = content["quantities"][name]["differences"][0]
    assert (found["a"], found["b"], found["arm"]) == (a, b, "verified")
    assert found["mean"] == pytest.approx(expected)


def test_an_arm_that_nothing_varies_is_equal_by_construction(made: Comparison) -> None:
    for table in made.tables.values():
        for found in (d for d in table.differences if d.arm == "unverified"):
            assert (found.mean, found.told_apart, found.seeds_needed) == (0, False, None)


def test_the_start_model_is_that_of_a_run_by_itself(made: Comparison, tmp_path: Path) -> None:
    assert made.out is not None
    plan = plan_from({**CONFIG, "acceptance": {"kind": "top_fraction", "fraction": 0.1}})
    alone = run(plan, tmp_path / "alone")
    together = RunFolder(made.out / "runs" / "acceptance.fraction=0.1-seed3")
    for ours, theirs in zip(alone.records(), together.records(), strict=True):
        assert ours.model_dump(exclude={"seconds"}) == theirs.model_dump(exclude={"seconds"})
    files = alone.files_of(0, "verified")
    assert files
    assert files == together.files_of(0, "verified")
    assert not (made.out / "starts").exists()


def test_there_are_a_page_tables_and_figures(made: Comparison) -> None:
    assert made.out is not None
    for name in ("curves.png", "curves.svg", "differences.png", "tables.md", "report.html"):
        assert (made.out / name).stat().st_size > 500
    page = (made.out / "report.html").read_text()
    assert made.sentences[0].replace("&", "&amp;") in page
    assert "acceptance.fraction=0.1" in (made.out / "tables.md").read_text()


def test_the_sentence_names_the_variations(made: Comparison) -> None:
    line = made.sentences[0]
    assert "acceptance.fraction=0.1" in line
    assert "acceptance.fraction=0.5" in line
    assert "3 seeds" in line


def test_runs_that_exist_are_compared_by_what_differs(made: Comparison) -> None:
    assert made.out is not None
    again = compare(sorted((made.out / "runs").iterdir()))
    assert set(again.variations) == set(made.variations)
    assert again.seeds == made.seeds
    ours, theirs = (found.tables[made.headline].differences[0] for found in (made, again))
    assert (ours.mean, ours.low, ours.told_apart) == (theirs.mean, theirs.low, theirs.told_apart)
    assert again.out is None


def test_one_seed_speaks_of_its_runs_only(tmp_path: Path) -> None:
    found = compare(CONFIG, tmp_path, vary=VARY, executor=Serial())
    assert "One seed" in found.sentences[0]
    assert {d.by for d in found.tables[found.headline].differences if not d.equal} <= {
        "rows",
        "errors",
        "nothing",
    }
    assert all(d.seeds_needed is None for table in found.tables.values() for d in table.differences)


def test_a_run_that_fails_does_not_take_the_others_down(tmp_path: Path) -> None:
    # To keep 60 at 0.1 takes 600 candidates, and at 0.5 it takes 120.
    config = {**CONFIG, "max_candidates": 350}
    found = compare(config, tmp_path, seeds=2, vary=VARY, executor=Serial())
    assert found.failure is not None
    assert "2 of 4 runs failed" in str(found.failure)
    assert json.loads((tmp_path / "compare.json").read_text())["variations"] == list(found.variations)


def test_mistakes_come_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match="unknown key"):
        compare(CONFIG, out, vary={"learning": [1, 2]})
    with pytest.raises(ConfigError, match="needs metrics"):
        compare({**CONFIG, "metrics": []}, out)
    with pytest.raises(VeriloopError, match="--out"):
        compare(CONFIG)
    with pytest.raises(VeriloopError, match="no run"):
        compare(CONFIG, out, write_up=True)
    with pytest.raises(RunFolderError, match="no such run folder"):
        compare([tmp_path / "a", tmp_path / "b"])
    assert not out.exists()


def test_arms_that_end_early_and_runs_to_come_are_said(made: Comparison, tmp_path: Path) -> None:
    stop = {"when": "budget", "candidates": 1}
    found = compare({**CONFIG, "stop": stop}, tmp_path, seeds=2, vary=VARY, executor=Serial())
    assert found.sentences[-1] == "verified ended early in 4 runs."
    assert {row.round for row in found.tables["gap"].rows if row.arm == "verified"} == {0, 1}
    half = compare({**CONFIG, "stop": stop}, tmp_path, seeds=3, vary=VARY, write_up=True)
    assert "2 of 6 runs have not finished; they are compared as they are." in half.sentences
    assert not [line for line in made.sentences if "finished" in line or "early" in line]


def test_the_same_run_twice_is_no_comparison(made: Comparison) -> None:
    assert made.out is not None
    path = next((made.out / "runs").iterdir())
    with pytest.raises(ConfigError, match="same settings and seed"):
        compare([path, path])


def test_a_killed_comparison_ends_alike(made: Comparison, tmp_path: Path) -> None:
    config = tmp_path / "plan.json"
    config.write_text(json.dumps(CONFIG))
    command = [
        *(sys.executable, "-m", "veriloop"),
        *("compare", str(config), "--seeds", "3", "--vary", "acceptance.fraction=0.1,0.5"),
        *("--out", str(tmp_path / "out"), "--executor", "serial"),
    ]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
    runs = tmp_path / "out" / "runs"
    until(lambda: runs.is_dir() and len(list(runs.glob("*/records.jsonl"))) > 1, first)
    first.send_signal(signal.SIGKILL)
    first.wait()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert made.out is not None

    def without_times(out: Path) -> dict[str, Any]:
        content = json.loads((out / "compare.json").read_text())
        content["records"] = [{k: v for k, v in r.items() if k != "seconds"} for r in content["records"]]
        return {k: v for k, v in content.items() if k not in ("seconds", "command")}

    assert without_times(made.out) == without_times(tmp_path / "out")
    assert made.sentences[0] in " ".join(done.stdout.split())
