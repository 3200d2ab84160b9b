"""A recipe of runs as a whole, on a few digits: runs, results, figures, tables, the page."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from veriloop.errors import ConfigError, VeriloopError
from veriloop.executors.serial import Serial
from veriloop.recipes.base import Setting
from veriloop.recipes.catalogue import Reproduced, reproduce
from veriloop.recipes.grids import tiled
from veriloop.recipes.study_files import load_studies
from veriloop.recipes.study_runs import carry_out
from veriloop.records import RoundRecord

Copied = Callable[..., Path]
SETTING = Setting("smoke", 4, Serial(), seeds=2, only=("main", "warm-start"))


@pytest.fixture(scope="module")
def done(tiny_mnist: Path, tmp_path_factory: pytest.TempPathFactory) -> Reproduced:
    return reproduce(str(tiny_mnist), SETTING, tmp_path_factory.mktemp("mnist") / "out")


def test_each_run_is_a_folder_and_each_figure_a_file(done: Reproduced) -> None:
    out = done.results.parent
    assert sorted(path.name for path in (out / "runs").iterdir()) == [
        "main-seed4", "main-seed5", "warm-start-seed4", "warm-start-seed5",
    ]  # fmt: skip
    assert [path.name for path in done.figures] == [
        f"{name}.{suffix}"
        for name in ("mnist", "mnist-warm-start", "mnist-grids")
        for suffix in ("png", "svg")
    ]
    assert all(path.stat().st_size > 10_000 for path in done.figures)
    assert {path.name for path in done.texts} == {"mnist-tables.md", "report.html"}


def test_results_are_as_the_contract_says(done: Reproduced) -> None:
    results = json.loads(done.results.read_text(), parse_constant=lambda c: pytest.fail(f"{c} is not JSON"))
    assert {"command", "versions", "machine", "seconds", "records"} <= results.keys()
    assert results["command"] == (
        "veriloop reproduce mnist --scale smoke --seed 4 --seeds 2 --only main,warm-start --out DIR"
    )
    records = results["records"]
    settings = {(r["setting"], r["seed"]) for r in records}
    assert settings == {(s, seed) for s in ("main", "warm-start") for seed in (4, 5)}
    assert len(records) == 2 * (3 * 2 + 2 + 2)
    for record in records:
        RoundRecord.model_validate({k: v for k, v in record.items() if k not in {"seed", "setting"}})
    # The numbers beside the records follow from them.
    ends = [
        r["metrics"]["frechet"]["value"]
        for r in records
        if (r["setting"], r["arm"], r["round"]) == ("main", "verified", 2)
    ]
    claimed = results["claim"]["frechet"]["verified"]["last"]
    np.testing.assert_allclose(claimed["values"], ends, rtol=1e-6)
    assert claimed["mean"] == pytest.approx(np.mean(ends), rel=1e-6)
    assert results["claim"]["frechet"]["apart"] in (True, False)
    assert {row["arm"] for row in results["costs"]} == {"verified", "unverified", "all_real", "fresh"}
    assert results["failed"] == []


def test_the_words_and_tables_say_what_was_measured(done: Reproduced, tiny_mnist: Path) -> None:
    words = "\n".join(done.finding.words)
    assert words.startswith(f"{load_studies(tiny_mnist).scales['smoke'].about}\n")
    assert re.match(
        r"(cannot tell whether )?verified .*unverified.*Fréchet distance [+-][\d.]+ \(", words.splitlines()[1]
    )
    assert "\nFréchet distance, verified: " in words
    assert re.search(r"unverified: [\d.,]+ → [\d.,]+ after 2 rounds \(x[\d.]+, 95 % interval", words)
    varied = "Each round's model fresh, or from the last one"
    assert re.search(rf"{varied} \(Fréchet distance after 1 round\): warm: \d", words)
    assert re.search(rf"{varied}: Fréchet distance of verified after round 1: .*over 2 seeds", words)
    table = (done.results.parent / "mnist-tables.md").read_text()
    section = table.split(f"## {varied}. Last values, with half their 95 % intervals\n")[1].split("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("|")][2:]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("| warm", "verified", "2"), ("| fresh", "verified", "2"),
    ]  # fmt: skip
    assert f"## {varied}. Differences in Fréchet distance\n" in table


def test_the_page_needs_no_network(done: Reproduced) -> None:
    page = (done.results.parent / "report.html").read_text()
    assert page.count('<img src="data:image/svg+xml;base64,') == 3
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "<td>fresh</td>" in page


def test_writing_up_computes_nothing_and_says_the_same(
    done: Reproduced, tiny_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veriloop.comparison.runs.run", lambda *_, **__: pytest.fail("computed"))
    again = carry_out(tiny_mnist, dataclasses.replace(SETTING, write_up=True), done.results.parent)
    assert again.words == done.finding.words
    assert again.measured == done.finding.measured


def test_metrics_that_no_plan_measures_are_refused(changed_mnist: Copied, tmp_path: Path) -> None:
    metrics = "metrics: [frechet, nelbo, accuracy, recall, coverage, diversity]"
    folder = changed_mnist({metrics: "metrics: [fid]"})
    with pytest.raises(ConfigError, match=r"smoke\.yaml measures none of them: got 'fid', expected some"):
        carry_out(folder, SETTING, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_nothing_to_write_up_is_said(tiny_mnist: Path, tmp_path: Path) -> None:
    with pytest.raises(VeriloopError, match=r"no run in .* has finished a round\. Make the runs first"):
        carry_out(tiny_mnist, dataclasses.replace(SETTING, write_up=True), tmp_path)


def test_a_failed_run_is_told_beside_the_results_of_the_others(changed_mnist: Copied, tmp_path: Path) -> None:
    folder = changed_mnist({'"200": {dataset.start: 200}': '"5,000": {dataset.start: 5000}'})
    found = carry_out(folder, Setting("smoke", 0, Serial(), only=("start-set",)), tmp_path)
    assert str(found.failure).startswith(
        "1 of 3 runs failed (start-5000-seed0: dataset: start set larger than the training set: "
        "got 'start=5000'"
    )
    assert [row["line"] for row in found.numbers["outcomes"]] == ["20", "50"]
    assert [failed["name"] for failed in found.numbers["failed"]] == ["start-5000-seed0"]


def test_other_studies_may_have_fewer_seeds(tiny_mnist: Path, tmp_path: Path) -> None:
    setting = Setting("smoke", 0, Serial(), seeds=2, only=("warm-start",), study_seeds=1)
    carry_out(tiny_mnist, setting, tmp_path)
    runs = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert runs == ["main-seed0", "main-seed1", "warm-start-seed0"]


def test_all_failed_is_an_error(changed_mnist: Copied, tmp_path: Path) -> None:
    folder = changed_mnist(plan={"rounds: 2": "rounds: 2\nmax_candidates: 200"})
    with pytest.raises(VeriloopError, match=r"1 of 1 runs failed \(main-seed0: arm 'verified', round 1"):
        carry_out(folder, Setting("smoke", 0, Serial(), only=("main",)), tmp_path)


def test_images_are_tiled_row_by_row() -> None:
    sheet = tiled(np.arange(1.0, 13)[:, None, None] * np.ones((12, 2, 3)))
    assert sheet.shape == (2 * 3, 10 * 4)
    np.testing.assert_array_equal(sheet[0, ::4], np.arange(1, 11))
    np.testing.assert_array_equal(sheet[3, :8], [11, 11, 11, 0, 12, 12, 12, 0])
    assert not sheet[2].any()
    assert not sheet[3:, 8:].any()
