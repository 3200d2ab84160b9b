"""The linear system's data: one design, other labels on each side."""

import numpy as np
import pytest
from pydantic import ValidationError

from veriloop.datasets.linear import LinearModel
from veriloop.errors import ConfigError
from veriloop.learners.ols import OLS
from veriloop.rng import Address


def test_validation_and_test_are_other_draws_of_the_same_labels(check_schema) -> None:
    dataset = LinearModel(theta_star=(1.0, -1.0), n0=5_000, sigma=2.0)
    data = check_schema(dataset)
    assert data.validation is not None
    sides = (data.train, data.validation, data.test)
    noise = [side.array("y") - side.array("x") @ [1.0, -1.0] for side in sides]
    # Three columns of white noise: 5,000 draws each, means to 5 and spreads to 5 standard errors.
    assert np.abs(np.mean(noise, axis=1)).max() < 5 * 2 / np.sqrt(5_000)
    assert np.abs(np.std(noise, axis=1) - 2).max() < 5 * 2 / np.sqrt(10_000)
    assert np.abs(np.corrcoef(noise) - np.eye(3)).max() < 5 / np.sqrt(5_000)
    assert data.start.same_as(data.train)


def test_the_start_set_is_that_of_the_seed() -> None:
    noise = Address(3).rng().standard_normal(100)
    data = LinearModel().load(3)
    assert np.array_equal(data.start.array("y"), data.start.array("x") @ np.ones(8) + noise)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    for fields in ({"theta_star": (1.0, value)}, {"sigma": value}):
        with pytest.raises(ValidationError, match="finite number"):
            LinearModel.model_validate(fields)
    with pytest.raises(ConfigError, match="finite number"):
        OLS(sigma=value)
