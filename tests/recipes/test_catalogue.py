"""What every experiment leaves behind."""

import json
import shutil
from pathlib import Path

import pytest

from veriloop.errors import ConfigError, StorageError
from veriloop.executors.serial import Serial
from veriloop.recipes.base import Setting
from veriloop.recipes.catalogue import COMPUTED, reproduce
from veriloop.recipes.folders import KIND, is_group, read_recipe, recipe_folders


def no_nan(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


ONE_COMPUTATION = [
    name
    for name, folder in recipe_folders().items()
    if not is_group(folder) and read_recipe(folder)[KIND] in COMPUTED
]
"""Those made of runs have tests of their own: they take longer."""


def test_the_papers_recipes_are_there() -> None:
    names = set(recipe_folders())
    assert names >= {
        "mnist",
        "xsum",
        "linear-phase",
        "linear-phase-800",
        "linear-estimators",
        "linear-trajectories",
        "collapse-zoo",
    }
    assert {read_recipe(recipe_folders()[name])[KIND] for name in ONE_COMPUTATION} == set(COMPUTED)


@pytest.mark.parametrize("name", recipe_folders())
def test_a_recipe_says_what_it_claims_and_how_to_run_it(name: str) -> None:
    text = (recipe_folders()[name] / "README.md").read_text()
    assert f"veriloop reproduce {name}" in text
    assert "**Claim.**" in text or is_group(recipe_folders()[name])
    assert "**Expected" in text or is_group(recipe_folders()[name])


@pytest.mark.parametrize("name", ONE_COMPUTATION)
def test_results_and_figures(smoke: Setting, tmp_path: Path, name: str) -> None:
    done = reproduce(name, smoke, tmp_path / "new" / "folder")
    assert [path.name for path in (done.results, *done.figures)] == [
        f"{name}.{s}" for s in ("json", "png", "svg")
    ]
    assert all(1_000 < path.stat().st_size < 300_000 for path in done.figures)
    results = json.loads(done.results.read_text(), parse_constant=no_nan)
    assert results["command"] == f"veriloop reproduce {name} --scale smoke --seed 0 --out DIR"
    assert {"versions", "machine", "seconds", "setting", "executor", "within_3_se"} <= results.keys()
    assert results["within_3_se"] >= 0.97
    assert done.finding.words[0].startswith("theory and simulation within 3 standard errors: ")


def test_an_unknown_experiment_is_refused(smoke: Setting, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'linear-phase'\?"):
        reproduce("linear_phase", smoke, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_computed(
    smoke: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(COMPUTED, "phase", lambda *_: pytest.fail("computed"))  # pyright: ignore[reportArgumentType]
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Not a directory"):
        reproduce("linear-phase", smoke, tmp_path / "file" / "out")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(StorageError, match="permission denied"):
        reproduce("linear-phase", smoke, tmp_path / "closed")


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("linear-phase", {"seeds": 2}, "linear-phase is one computation of one seed"),
        ("linear-phase", {"only": ("main",)}, "linear-phase is one computation of one seed"),
        ("linear-phase", {"write_up": True}, "linear-phase is one computation of one seed"),
        ("mnist", {"only": ("main", "keep")}, r"no such study: got 'keep', .*Did you mean 'keep-ratio'\?"),
    ],
)
def test_what_an_experiment_cannot_do_is_refused(tmp_path: Path, name: str, more: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reproduce(name, Setting("smoke", 0, Serial(), **more), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_here_comes_before_the_one_that_came_along(
    smoke: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "recipes" / "linear-phase"
    shutil.copytree(recipe_folders()["linear-phase"], own)
    text = (own / "recipe.yaml").read_text()
    (own / "recipe.yaml").write_text(text.replace("simulated: [24, 12]", "simulated: [6, 4]"))
    monkeypatch.chdir(tmp_path)
    assert recipe_folders()["linear-phase"] == own
    assert reproduce("linear-phase", smoke, tmp_path / "out").finding.numbers["compared"] == 24


def test_a_folder_may_be_named_by_its_path(tmp_path: Path, smoke: Setting) -> None:
    shutil.copytree(recipe_folders()["linear-phase"], tmp_path / "mine")
    assert (
        reproduce(str(tmp_path / "mine"), smoke, tmp_path / "out").results == tmp_path / "out" / "mine.json"
    )


def test_an_unknown_kind_is_refused(tmp_path: Path, smoke: Setting) -> None:
    (tmp_path / "recipe.yaml").write_text("kind: phases\n")
    with pytest.raises(ConfigError, match=r"kind: got 'phases'.*Did you mean 'phase'"):
        reproduce(str(tmp_path), smoke, tmp_path / "out")
    assert not (tmp_path / "out").exists()
