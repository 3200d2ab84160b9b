import numpy as np
import pytest

from veriloop.recipes.linear_setting import random_direction


def test_random_directions_have_length_one_and_follow_the_seed() -> None:
    assert np.linalg.norm(random_direction(8, 3)) == pytest.approx(1.0)
    np.testing.assert_array_equal(random_direction(8, 3), random_direction(8, 3))
    assert np.any(random_direction(8, 3) != random_direction(8, 4))
