import numpy as np
import pytest

from veriloop.datasets.linear import LinearModel
from veriloop.errors import ConfigError
from veriloop.samples import Samples
from veriloop.schema import Schema
from veriloop.verdicts import Decision
from veriloop.verifiers.knowledge_ball import KnowledgeBall

DATA = Schema({"x": {"role": "vector", "p": 4}, "y": {"role": "number"}})


def test_it_accepts_what_its_ball_takes_for_possible() -> None:
    ball = KnowledgeBall(center=(1.0, 0.0), radius=0.5, sigma_c=0.25)
    x = np.array([[3.0, 4.0]] * 3)  # |x| = 5: within 0.5 * 5 + 0.25 of 3
    verdicts = ball.verify(Samples(x=x, y=np.array([5.74, 5.76, 0.24])), np.random.default_rng(0))
    assert verdicts.decision.tolist() == [Decision.ACCEPT, Decision.REJECT, Decision.REJECT]


def test_it_suits_the_linear_system() -> None:
    ball = KnowledgeBall(center=(1.0,) * 4, radius=1)
    assert ball.suited_to(LinearModel(theta_star=(1.0,) * 4).schema()) == ball


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (DATA, "center: got '3 numbers', expected 4, as the data's column 'x' has"),
        (Schema({"y": DATA["y"]}), "got 'x', expected a column of the data: y"),
        (Schema({"x": DATA["x"]}), "got 'y', expected a column of the data: x"),
        (Schema({"x": {"role": "completion"}}), "column 'x': got 'completion', expected .*vector"),
    ],
)
def test_data_that_do_not_suit_it_are_refused(data: Schema, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        KnowledgeBall(center=(1.0, 1.0, 1.0), radius=1).suited_to(data)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["center", "radius", "sigma_c"])
def test_its_numbers_are_finite(field: str, number: float) -> None:
    fields = {"center": [1.0], "radius": 1.0, field: [number] if field == "center" else number}
    with pytest.raises(ValueError, match="finite"):
        KnowledgeBall.model_validate(fields)
