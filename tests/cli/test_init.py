"""``veriloop init``, from data to a report; and ``veriloop train-classifier``."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from veriloop.config import load_plan
from veriloop.loop import checked
from veriloop.starters.kinds import EXAMPLES, KINDS

SMALL = [
    *("--set", "rounds=1", "--set", "schedule.n=40", "--set", "evaluation_samples=20"),
    *("--set", "executor=serial", "--set", "verifier.epochs=1"),
]
TINY_CVAE = ["--set", "learner.min_steps=1", "--set", "learner.epochs=1", "--set", "learner.channels=[2,2]"]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of four photographs, a table and points, in the working directory."""
    rng = np.random.default_rng(0)
    for i, name in enumerate(("red", "red", "blue", "blue")):
        (tmp_path / "photos" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(
            tmp_path / "photos" / name / f"{i}.png"
        )
    table = {"id": range(1, 61), "name": [f"n{i}" for i in range(60)], "x": rng.normal(size=60)}
    pd.DataFrame({**table, "city": ["n", "s"] * 30}).to_csv(tmp_path / "people.csv", index=False)
    np.savez(tmp_path / "points.npz", x=rng.normal(size=(60, 2)), label=np.arange(60) % 3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "path", "measured"),
    [
        ("images", "photos", ("frechet", "precision", "recall", "coverage", "nelbo")),
        ("table", "people.csv", ("frechet", "precision", "recall", "coverage", "diversity")),
        ("array", "points.npz", ("frechet", "precision", "recall", "coverage", "diversity")),
    ],
)
def test_from_data_to_a_report_with_quality_and_diversity(
    data: Path, veriloop, kind: str, path: str, measured: tuple[str, ...]
) -> None:
    assert veriloop("init", kind, "--path", path).code == 0
    plan = data / f"{kind}.yaml"
    text = plan.read_text()
    assert "# " in text
    assert all(len(line) <= 110 for line in text.splitlines())
    assert yaml.safe_load(text)["dataset"]["path"] == path
    found = checked(load_plan(plan))
    assert found.plan.rounds >= 3
    again = veriloop("init", kind, "--path", path)
    assert again.code == 2
    assert "already exists" in again.err
    assert plan.read_text() == text
    extra = TINY_CVAE if kind == "images" else []
    done = veriloop("run", str(plan), "--out", "runs/own", "--plain", *SMALL, *extra)
    assert done.code == 0, done.err
    lines = [json.loads(line) for line in Path("runs/own/records.jsonl").read_text().splitlines()]
    for record in lines:
        assert all(np.isfinite(record["metrics"][name]["value"]) for name in measured), record["arm"]
    assert "Fréchet distance (" in Path("runs/own/report.html").read_text()
    if kind == "table":
        audited = veriloop("audit", "runs/own")
        assert audited.code == 0, audited.err
        assert "strongest pull: direction" in audited.out


def test_columns_that_cannot_be_used_are_left_out_and_named(data: Path, veriloop) -> None:
    done = veriloop("init", "table", "--path", "people.csv", "--out", "mine.yaml")
    assert "left out id: it numbers the rows" in done.out
    assert "left out name: 60 different values in 60 rows" in done.out
    assert yaml.safe_load(Path("mine.yaml").read_text())["dataset"]["columns"] == ["x", "city"]
    assert not (data / "table.yaml").exists()


def test_pictures_of_several_sizes_get_one(data: Path, veriloop) -> None:
    Image.new("RGB", (90, 70)).save(data / "photos" / "red" / "large.png")
    assert veriloop("init", "images", "--path", "photos").code == 0
    assert load_plan(Path("images.yaml")).dataset.model_dump()["size"] == 32


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("image", "--path", "photos"), "Did you mean 'images'"),
        (("images", "--path", "gone"), "no folder gone"),
        (("table", "--path", "photos"), "no file photos"),
        (("table", "--path", "notes.txt"), ".txt"),
        (("images",), "--path"),
        (("mnists",), "Did you mean 'mnist'"),
    ],
)
def test_mistakes_are_one_line_and_write_nothing(
    data: Path, veriloop, arguments: tuple[str, ...], message: str
) -> None:
    (data / "notes.txt").write_text("none")
    done = veriloop("init", *arguments)
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not list(data.glob("*.yaml"))


def test_a_recipe_is_copied_and_can_be_changed_and_run(
    tmp_path: Path, veriloop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = veriloop("init", "linear-phase")
    assert (done.code, done.err) == (0, "")
    folder = tmp_path / "recipes" / "linear-phase"
    assert {path.name for path in folder.iterdir()} == {"README.md", "recipe.yaml"}
    text = (folder / "recipe.yaml").read_text()
    (folder / "recipe.yaml").write_text(text.replace("simulated: [24, 12]", "simulated: [5, 4]"))
    command = done.out.strip().partition("Next: veriloop ")[2].split()
    run = veriloop(*command, "--scale", "smoke", "--executor", "serial")
    assert run.code == 0
    assert json.loads(Path("runs/linear-phase/linear-phase.json").read_text())["compared"] == 20
    again = veriloop("init", "linear-phase")
    assert again.code == 2
    assert "recipes/linear-phase already exists" in again.err
    assert not list(tmp_path.glob("recipes/.*"))


def test_every_kind_says_what_it_takes() -> None:
    assert {"images", "table", "array"} <= set(KINDS)
    assert all(starter.about for starter in KINDS.values())
    assert set(EXAMPLES) == {"digits", "function", "text", "human"}
    assert all(example.about for example in EXAMPLES.values())


QUICK = {
    "digits": ["learner.epochs=1", "learner.min_steps=1", "chunk_size=100", "acceptance.fraction=0.5"],
    "function": [],
    "text": ["learner.epochs=1", "max_candidates=60"],
    "human": ["learner.epochs=1", "learner.min_steps=1"],
}
"""Settings under which a run of an example takes seconds, beside those of all."""


@pytest.mark.parametrize("kind", QUICK)
def test_an_example_runs_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, veriloop, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as the command does
    done = veriloop("init", kind)
    assert done.code == 0, done.err
    text = Path(f"{kind}.yaml").read_text()
    assert f"Made by: veriloop init {kind}" in text
    assert all(len(line) <= 110 for line in text.splitlines())
    written = sorted(p.name for p in tmp_path.iterdir())
    assert all(name in done.out for name in written)
    assert checked(load_plan(f"{kind}.yaml")).plan.rounds >= 1
    settings = [*QUICK[kind], "rounds=1", "evaluation_samples=30", "executor=serial", "schedule.n=20"]
    quick = [word for setting in settings for word in ("--set", setting)]
    done = veriloop("run", f"{kind}.yaml", "--plain", *quick)
    assert done.code == 0, done.err
    records = [json.loads(line) for line in Path(f"runs/{kind}/records.jsonl").read_text().splitlines()]
    assert {record["arm"] for record in records if record["round"] == 1} >= {"unverified"}
    if kind == "human":
        assert "judge them with: veriloop serve runs" in done.out
    elif kind == "function":
        rounds = {record["arm"]: record["metrics"]["check"]["value"] for record in records}
        assert rounds["verified"] > 0
    else:
        assert Path(f"runs/{kind}/report.html").is_file()


def test_an_example_overwrites_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, veriloop) -> None:
    monkeypatch.chdir(tmp_path)
    Path("function_check.py").write_text("mine")
    done = veriloop("init", "function")
    assert (done.code, "function_check.py already exists" in done.err) == (2, True)
    assert [p.name for p in tmp_path.iterdir()] == ["function_check.py"]
    done = veriloop("init", "digits", "--path", "function_check.py")
    assert (done.code, "digits brings its data" in done.err) == (2, True)


def test_a_classifier_of_ones_own_images_serves_the_metrics(data: Path, veriloop) -> None:
    rng = np.random.default_rng(0)
    for k, name in enumerate(("dark", "light")):
        folder = data / "shades" / name
        folder.mkdir(parents=True)
        for i in range(60):
            pixels = np.clip(rng.normal(60 + 120 * k, 30, (9, 7, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    done = veriloop("train-classifier", "shades", "--out", "own.safetensors", "--epochs", "10")
    assert done.code == 0, done.err
    card = json.loads(Path("own.json").read_text())
    assert (card["image_channels"], card["classes"], card["test_images"]) == (3, 2, 24)
    assert card["test_accuracy"] > 0.9
    assert f"labels {card['test_accuracy']:.1%} of 24 held-out images correctly" in done.out
    again = veriloop("train-classifier", "shades", "--out", "own.safetensors")
    assert (again.code, "already exists" in again.err) == (2, True)
    Path("plan.yaml").write_text(
        "dataset: {kind: images, path: shades, start: 20}\n"
        "learner: {kind: cvae, latent_dim: 2, channels: [2, 2], epochs: 1}\n"
        "schedule: {kind: constant, n: 10}\nrounds: 1\narms: [unverified]\nevaluation_samples: 20\n"
        "metrics:\n- {kind: frechet, classifier: own.safetensors}\n"
        "- {kind: accuracy, classifier: own.safetensors}\n"
    )
    done = veriloop("run", "plan.yaml", "--out", "runs/own", "--plain")
    assert done.code == 0, done.err
    last = json.loads(Path("runs/own/records.jsonl").read_text().splitlines()[-1])
    assert 0 <= last["metrics"]["accuracy"]["value"] <= 1
    assert "accuracy_1" in last["metrics"]
    digests = json.loads(Path("runs/own/manifest.json").read_text())["digests"]
    assert {"own.safetensors", "own.json"} <= set(digests)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("photos", "--out", "own.pt"), "ends in .safetensors"),
        (("linear", "--out", "own.safetensors"), "one column of role 'image'"),
        (("digit", "--out", "own.safetensors"), "Did you mean 'digits'"),
        (("digits", "--out", "own.safetensors", "--width", "8,8"), "three whole numbers"),
        (("flat", "--out", "own.safetensors"), "images of one class"),
    ],
)
def test_what_makes_no_classifier_is_refused(
    data: Path, veriloop, arguments: tuple[str, ...], message: str
) -> None:
    (data / "flat").mkdir()
    for i in range(6):
        Image.fromarray(np.full((8, 8), 9 * i, np.uint8)).save(data / "flat" / f"{i}.png")
    done = veriloop("train-classifier", *arguments)
    assert done.code == 2
    assert message in done.err
    assert not Path("own.safetensors").exists()
