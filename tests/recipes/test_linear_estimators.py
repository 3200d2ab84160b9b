import numpy as np
import pytest

from veriloop.executors.process import Process
from veriloop.recipes.base import Setting
from veriloop.recipes.folders import checked_recipe, recipe_folders
from veriloop.recipes.linear_estimators import (
    ESTIMATORS,
    EstimatorsRecipe,
    Trial,
    linear_estimators,
    simulate_cell,
)
from veriloop.recipes.linear_setting import random_direction
from veriloop.theory import EstimatorErrors, compare_estimators, orthogonal_system

FOLDER = recipe_folders()["linear-estimators"]
SIZES = checked_recipe(FOLDER, EstimatorsRecipe).sizes


def test_names_are_the_theorys() -> None:
    assert list(ESTIMATORS) == list(EstimatorErrors.__dataclass_fields__)


def test_a_cell_follows_the_theory() -> None:
    direction = random_direction(8, 0)
    system = orthogonal_system(0.3, 0.2, direction=direction, allow_outside=True)
    found = simulate_cell(Trial(direction, system.sigma_c, 100, SIZES, 400, seed=1), (0, 0.3, 0.2))
    exact = compare_estimators(system, np.array(SIZES))
    expected = np.stack([getattr(exact, name) for name in ESTIMATORS], axis=-1)
    assert np.all(np.abs(found[..., 0] - expected) < 4 * found[..., 1])


def test_numbers_do_not_depend_on_who_computes(smoke: Setting) -> None:
    here = linear_estimators(FOLDER, smoke).numbers
    there = linear_estimators(FOLDER, Setting("smoke", 0, Process(workers=2))).numbers
    assert here == there
    assert here["same_best_estimator"] > 0.7
    assert here["largest_regret_where_not"] < 0.6
    for shares in here["share_of_plane_where_best"].values():
        assert sum(shares.values()) == pytest.approx(1.0)
    assert here["share_of_plane_where_best"]["100"]["filtered_real"] > 0.1
    assert here["share_of_plane_where_best"]["10000"]["filtered_real"] == 0
