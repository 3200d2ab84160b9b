"""Least squares on the columns that the data have; tests/loop/test_linear_system.py tests its numbers."""

from pathlib import Path

import numpy as np
import pytest

from veriloop.datasets.linear import LinearModel
from veriloop.errors import ConfigError, CorruptFileError
from veriloop.learners.ols import OLS, LinearGenerator
from veriloop.rng import Address
from veriloop.samples import Samples
from veriloop.schema import Number, Schema, Vector
from veriloop.testing import check_learner


def test_the_columns_are_the_datas(tmp_path: Path) -> None:
    schema = Schema({"inputs": Vector(p=2, given=True), "price": Number()})
    suited = OLS(sigma=0.5).suited_to(schema)
    assert (suited.x, suited.y) == ("inputs", "price")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((30, 2))
    data = Samples(inputs=x, price=x @ [1.0, 2.0])
    generator = check_learner(suited, data, data.only(["inputs"]))
    assert isinstance(generator, LinearGenerator)
    assert np.allclose(generator.theta, [1, 2])
    generator.save(tmp_path)
    path = tmp_path / "ols.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CorruptFileError):
        LinearGenerator.load(tmp_path)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": Vector(p=2, given=True)}, "learner 'ols' needs one column of role 'number'"),
        ({"x": Vector(p=2), "y": Number()}, "column 'x': got 'made'"),
        ({"x": Vector(p=2, given=True), "y": Number(given=True)}, "column 'y': got 'given'"),
    ],
)
def test_data_that_do_not_suit_are_refused(columns: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OLS().suited_to(Schema(columns))


def test_the_linear_system_suits() -> None:
    suited = OLS().suited_to(LinearModel().schema())
    assert (suited.x, suited.y) == ("x", "y")
    assert suited.fit(LinearModel().load(0).start, None, Address(0).rng()).theta.shape == (8,)
