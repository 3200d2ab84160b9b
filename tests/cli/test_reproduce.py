"""``veriloop reproduce``: the command around the experiments, which are tested on their own."""

import json
import shutil
from pathlib import Path
from typing import get_args

import pytest

from veriloop.cli.reproduce import reproduce
from veriloop.recipes.base import Scale
from veriloop.recipes.folders import recipe_folders

SMOKE = ("reproduce", "linear-trajectories", "--scale", "smoke", "--executor", "serial")


def test_words_and_files(veriloop, tmp_path: Path) -> None:
    called = veriloop(*SMOKE, "--out", tmp_path)
    assert (called.code, called.err) == (0, "")
    first, *_, last = called.out.splitlines()
    assert first.startswith("theory and simulation within 3 standard errors: ")
    files = [tmp_path / f"linear-trajectories.{suffix}" for suffix in ("json", "png", "svg")]
    assert last.endswith(", ".join(map(str, files)))
    assert sorted(tmp_path.iterdir()) == files


def test_for_machines(veriloop, tmp_path: Path) -> None:
    called = veriloop(*SMOKE, "--seed", 3, "--out", tmp_path, "--json")
    printed, written = (
        json.loads(called.out),
        json.loads(Path(tmp_path / "linear-trajectories.json").read_text()),
    )
    assert printed["results"] == str(tmp_path / "linear-trajectories.json")
    assert len(printed["figures"]) == 2
    assert printed["within_3_se"] == written["within_3_se"] >= 0.97
    assert "--seed 3" in written["command"]


def test_help_and_options_know_what_there_is(veriloop) -> None:
    shown = " ".join(veriloop("reproduce", "--help").out.replace("│", " ").split())
    assert all(name in shown for name in recipe_folders())
    assert get_args(get_args(reproduce.__annotations__["scale"])[0]) == get_args(Scale)


MISTAKES: dict[str, tuple[tuple[object, ...], str]] = {
    "unknown recipe": (("reproduce", "linear-phases", "--out", "out"), "Did you mean 'linear-phase'?"),
    "unwritable": ((*SMOKE, "--out", "file/out"), "cannot write to file/out"),
    "a file for a folder": ((*SMOKE, "--out", "file"), "cannot write to file"),
    "seeds of one computation": ((*SMOKE, "--out", "out", "--seeds", "2"), "is one computation of one seed"),
    "unknown study": (
        ("reproduce", "mnist", "--out", "out", "--only", "main, warm"),
        "no such study: got 'warm', expected some of main, keep-ratio,",
    ),
    "nothing to write up": (
        ("reproduce", "mnist", "--scale", "smoke", "--out", "new", "--only", "main", "--write-up"),
        "no run in new has finished a round. Make the runs first, without --write-up",
    ),
    "unknown executor": ((*SMOKE, "--out", "out", "--executor", "cloud"), "no executors of this kind"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("json_", [False, True], ids=["text", "json"])
def test_a_mistake_is_one_line_and_exit_code_2(
    veriloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str, json_: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    arguments, expected = MISTAKES[mistake]
    called = veriloop(*arguments, *(["--json"] if json_ else []))
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert expected in called.err
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["file"]


@pytest.fixture
def tiny_mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe of one's own in ``recipes/mnist``, whose smallest scale takes a second a run."""
    folder = tmp_path / "here" / "recipes" / "mnist"
    shutil.copytree(recipe_folders()["mnist"], folder)
    replace(folder / "smoke.yaml", "channels: [8, 16]", "channels: [2, 4]")
    replace(folder / "smoke.yaml", "epochs: 10", "epochs: 1")
    replace(folder / "smoke.yaml", "min_steps: 150", "min_steps: 5")
    replace(folder / "smoke.yaml", "rounds: 2", "rounds: 1")
    replace(folder / "smoke.yaml", "evaluation_samples: 300", "evaluation_samples: 50")
    monkeypatch.chdir(tmp_path / "here")
    return folder


def replace(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


MNIST = ("reproduce", "mnist", "--scale", "smoke", "--executor", "serial")


@pytest.mark.usefixtures("tiny_mnist")
def test_an_experiment_of_runs_tells_how_far_they_are_and_goes_on(veriloop, tmp_path: Path) -> None:
    first = veriloop(*MNIST, "--only", "main", "--out", tmp_path)
    assert first.code == 0
    told = first.err.splitlines()
    assert told[0].startswith("main-seed0: start model done: frechet ")
    assert told[1].startswith("main-seed0: verified round 1/1 done: frechet ")
    assert told[-1] == "main-seed0: finished"
    assert str(tmp_path / "report.html") in first.out.splitlines()[-1]
    more = veriloop(*MNIST, "--only", "verifier-update", "--seeds", "1", "--out", tmp_path)
    assert more.code == 0
    assert {line.partition(":")[0] for line in more.err.splitlines()} == {"verifier-update-seed0"}
    again = veriloop(*MNIST, "--only", "main", "--out", tmp_path, "--json")
    assert again.err == ""
    printed = json.loads(again.out)
    assert printed["texts"] == [str(tmp_path / "mnist-tables.md"), str(tmp_path / "report.html")]
    assert printed["failed"] == []


def test_a_run_that_fails_ends_in_one_line_after_the_results_of_the_others(
    veriloop, tmp_path: Path, tiny_mnist: Path
) -> None:
    replace(tiny_mnist / "recipe.yaml", '"20": {dataset.start: 20}, ', "")
    replace(tiny_mnist / "recipe.yaml", '"200": {dataset.start: 200}', '"5,000": {dataset.start: 5000}')
    called = veriloop(*MNIST, "--only", "start-set", "--out", tmp_path)
    assert called.code == 2
    assert called.out.splitlines()[-1].endswith("report.html")
    assert called.err.splitlines()[-1].startswith(
        "error: 1 of 2 runs failed (start-5000-seed0: dataset: start set larger"
    )
