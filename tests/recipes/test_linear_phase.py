import numpy as np
import pytest

from veriloop.errors import ConfigError
from veriloop.recipes.base import Setting
from veriloop.recipes.folders import checked_recipe, recipe_folders
from veriloop.recipes.linear_phase import PhaseRecipe, Size, linear_phase

FOLDER = recipe_folders()["linear-phase"]
RECIPE = checked_recipe(FOLDER, PhaseRecipe)


def test_numbers(smoke: Setting) -> None:
    finding = linear_phase(FOLDER, smoke)
    numbers, words = finding.numbers, finding.words
    assert numbers["within_3_se"] >= 0.985
    assert numbers["compared"] == np.prod(RECIPE.scales["smoke"].simulated)
    shares = numbers["share_of_cells_with_gain"]
    assert abs(shares["theory"] - shares["monte_carlo"]) < 0.05
    for row in numbers["gain_ends_at_bias"]:
        assert abs(row["theory"] - row["monte_carlo"]) < 0.05
    assert "one round helps in 44.9 % of the plane" in words


def test_the_paper_scale_is_the_papers() -> None:
    assert RECIPE.scales["paper"] == Size(theory=(300, 300), simulated=(300, 150), replicates=100)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("n: 100 ", "n: 0 "), r"recipe\.yaml: n: got '0'"),
        (("biases: [0, 0.7]", "biases: [0]"), r"recipe\.yaml: biases"),
        (("  paper:", "  papers:"), r"recipe\.yaml: scales"),
        (("n0: 100", "m0: 100"), r"unknown key 'm0'.*Did you mean 'n0'"),
    ],
)
def test_a_wrong_recipe_is_one_line(tmp_path, smoke: Setting, change, message: str) -> None:
    text = (FOLDER / "recipe.yaml").read_text()
    assert change[0] in text
    (tmp_path / "recipe.yaml").write_text(text.replace(*change))
    with pytest.raises(ConfigError, match=message):
        linear_phase(tmp_path, smoke)
