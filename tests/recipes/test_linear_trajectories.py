import numpy as np
import pytest

from veriloop.errors import ConfigError
from veriloop.recipes.base import Setting
from veriloop.recipes.folders import checked_recipe, recipe_folders
from veriloop.recipes.linear_trajectories import TrajectoriesRecipe, courses, linear_trajectories

FOLDER = recipe_folders()["linear-trajectories"]


def test_the_courses_are_the_papers() -> None:
    found = courses(checked_recipe(FOLDER, TrajectoriesRecipe), seed=0)
    center = [c for c in found if c.panel == "a"]
    assert [c.system.radius for c in center] == [1.0, 1.5, 2.0, 2.5]
    assert all(np.isclose(c.system.bias, 1.0) for c in center)
    settings = [(c.system.bias, c.verified, c.growing) for c in found if c.panel == "b"]
    assert settings == [(0.0, True, False), (0.0, True, True), (0.0, False, False)]


def test_numbers(smoke: Setting) -> None:
    finding = linear_trajectories(FOLDER, smoke)
    numbers, words, (figure,) = finding.numbers, finding.words, finding.figures.values()
    assert numbers["mild_bias"]["regime"] == "gain_then_reversal"
    assert numbers["mild_bias"]["best_round"] == 6
    assert numbers["mild_bias"]["best"] < numbers["mild_bias"]["floor"] < numbers["mild_bias"]["start"]
    verified, growing, unverified = (c for c in numbers["curves"] if c["panel"] == "b")
    assert growing["n"] == "100 k"
    assert growing["simulated"][-1] < 0.3 * verified["simulated"][-1]
    assert verified["simulated"][-1] < 0.06 < 0.5 < unverified["simulated"][-1]
    assert words[1].startswith("mild bias: best round 6 predicted")
    _, labels = figure.axes[2].get_legend_handles_labels()
    assert "predicted best round: 6" in labels


def test_courses_and_rounds_have_the_panels_that_there_are(tmp_path, smoke: Setting) -> None:
    text = (FOLDER / "recipe.yaml").read_text()
    (tmp_path / "recipe.yaml").write_text(
        text.replace("smoke: {rounds: {a: 10, ", "smoke: {rounds: {d: 10, ")
    )
    with pytest.raises(ConfigError, match=r"scales\.smoke\.rounds: got 'b, c, d', expected a, b, c"):
        linear_trajectories(tmp_path, smoke)
