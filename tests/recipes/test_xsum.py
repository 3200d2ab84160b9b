"""The language-model experiment: the smallest scale from nothing, on made-up news."""

import json
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from veriloop.config import read_config
from veriloop.errors import ConfigError
from veriloop.learners._language.generator import CausalLMGenerator
from veriloop.recipes.base import Setting
from veriloop.recipes.catalogue import reproduce
from veriloop.recipes.folders import recipe_folders
from veriloop.recipes.study_files import load_studies
from veriloop.recipes.study_runs import carry_out
from veriloop.records import RoundRecord
from veriloop.store.folder import RunFolder

FOLDER = recipe_folders()["xsum"]
RECIPE = load_studies(FOLDER)
SMOKE, PLAN = RECIPE.scales["smoke"], read_config(FOLDER / "smoke.yaml")
ROUNDS = PLAN["rounds"]


@pytest.fixture(scope="module")
def out(smoke: Setting, small_news: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command leaves behind."""
    out = tmp_path_factory.mktemp("xsum")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERILOOP_DATA", str(small_news))
        reproduce("xsum", smoke, out)
    return out


def test_the_results_hold_every_round_of_both_arms(out: Path):
    results = json.loads((out / "xsum.json").read_text())
    assert results["command"] == "veriloop reproduce xsum --scale smoke --seed 0 --out DIR"
    rounds = {(r["arm"], r["round"]) for r in results["records"]}
    assert rounds == {(arm, k) for arm in ("verified", "unverified") for k in range(ROUNDS + 1)}
    for record in results["records"]:
        assert (record.pop("seed"), record.pop("setting")) == (0, "main")
        assert {"rouge1", "distinct2", "loss", "length"} <= set(RECIPE.metrics) & set(
            RoundRecord.model_validate(record).metrics
        )
    assert SMOKE.pretraining is not None
    assert SMOKE.pretraining.model_dump().items() <= results["pretraining"].items()
    assert {"verified", "unverified", "apart", "difference", "coin"} == set(results["claim"]["rouge1"])


def test_an_eighth_is_kept_by_score_and_as_many_without_one(out: Path):
    records = json.loads((out / "xsum.json").read_text())["records"]
    n = PLAN["schedule"]["n"]
    for record in records:
        if record["round"] > 0:
            made = 8 * n if record["arm"] == "verified" else n
            assert (record["counts"]["generated"], record["counts"]["kept"]) == (made, n)


def test_tables_page_and_texts_say_how_small_it_is(out: Path):
    for name in ("xsum-tables.md", "report.html", "xsum-texts.md"):
        assert SMOKE.about in unescape((out / name).read_text())
    assert (out / "xsum.png").stat().st_size > 10_000
    texts = (out / "xsum-texts.md").read_text()
    assert texts.count("- *a person:*") == 4
    assert f"- *unverified, round {ROUNDS}:*" in texts


def test_the_models_of_a_run_load_as_language_models(out: Path):
    folder = RunFolder(out / "runs" / "main-seed0")
    generator = CausalLMGenerator.load(folder.round_directory(ROUNDS, "verified") / "generator")
    kept = folder.kept(ROUNDS, "verified")
    prompts = kept.only([name for name in kept if name != "summary"]).select(slice(3))
    assert generator.greedy(prompts).texts("document") == prompts.texts("document")


@pytest.mark.parametrize("write_up", [False, True])
def test_given_again_it_computes_nothing_and_says_the_same(
    write_up: bool, out: Path, smoke: Setting, small_news: Path, monkeypatch: pytest.MonkeyPatch
):
    # What has been made can be written up where there are no data.
    monkeypatch.setenv("VERILOOP_DATA", "nowhere" if write_up else str(small_news))
    before = json.loads((out / "xsum.json").read_text())
    finding = carry_out(FOLDER, replace(smoke, write_up=write_up), out)
    # JSON, because an equal NaN is not equal.
    again = [m.record.model_dump_json() for m in finding.measured]
    assert again == [RoundRecord.model_validate(r).model_dump_json() for r in before["records"]]
    assert finding.numbers["pretraining"] == before["pretraining"]


def test_a_given_model_is_started_from_and_named(
    out: Path, smoke: Setting, small_news: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VERILOOP_DATA", str(small_news))
    model = tmp_path / "given"
    shutil.copytree(out / "pretrained", model)
    (model / "origin.json").write_text('{"name": "A small model, made up"}')
    reproduce("xsum", replace(smoke, model=model), tmp_path / "out")
    results = json.loads((tmp_path / "out" / "xsum.json").read_text())
    assert results["model"] == "A small model, made up"
    assert results["command"] == "veriloop reproduce xsum --model given --scale smoke --seed 0 --out DIR"
    assert results["pretraining"] is None
    assert not (tmp_path / "out" / "pretrained").exists()
    assert all(record["trained_on"] for record in results["records"])
    assert "A small model, made up." in (tmp_path / "out" / "xsum-texts.md").read_text()


def test_other_experiments_refuse_a_model(smoke: Setting, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"mnist starts from no model.*Leave out --model"):
        reproduce("mnist", replace(smoke, model=tmp_path), tmp_path / "out")
    assert not (tmp_path / "out").exists()
