"""Where recipes are found, and what is said of a file that is none."""

import shutil
from pathlib import Path

import pytest

from veriloop.errors import ConfigError
from veriloop.recipes import folders
from veriloop.recipes.folders import checked_recipe, copy_recipe, is_group, recipe_folders, recipe_names
from veriloop.recipes.linear_phase import PhaseRecipe


def make(folder: Path, text: str = "kind: phase\n") -> Path:
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(text)
    return folder


def test_recipes_of_here_come_before_those_that_came_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, packaged = tmp_path / "here" / "recipes", tmp_path / "package"
    make(own / "mnist")
    make(own / "several" / "one")
    make(own / "several" / "two")
    make(packaged / "mnist")
    make(packaged / "packaged")
    (own / "empty").mkdir()
    monkeypatch.setattr(folders, "_PACKAGED", packaged)
    monkeypatch.chdir(tmp_path / "here")
    found = recipe_folders()
    assert (found["mnist"], found["packaged"]) == (own / "mnist", packaged / "packaged")
    assert "empty" not in found
    assert is_group(found["several"])
    assert not is_group(found["mnist"])
    assert recipe_names(found["several"]) == ("one", "two")


def test_a_copy_is_whole_and_never_over_something(tmp_path: Path) -> None:
    copy_recipe("collapse-zoo", tmp_path / "zoo")
    assert recipe_names(tmp_path / "zoo") == recipe_names(recipe_folders()["collapse-zoo"])
    (tmp_path / "zoo" / "README.md").write_text("mine")
    with pytest.raises(ConfigError, match="zoo already exists"):
        copy_recipe("collapse-zoo", tmp_path / "zoo")
    assert (tmp_path / "zoo" / "README.md").read_text() == "mine"
    shutil.rmtree(tmp_path / "zoo")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: [phase\n", r"recipe\.yaml"),
        ("- phase\n", r"expected a mapping of settings"),
        ("kind: phase\ntitle: x\n", r"recipe\.yaml: source: .*required"),
    ],
)
def test_a_file_that_is_no_recipe_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        checked_recipe(make(tmp_path / "mine", text), PhaseRecipe)
    assert "\n" not in str(raised.value)
