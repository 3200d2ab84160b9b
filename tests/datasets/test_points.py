import numpy as np
import pytest

from veriloop.config import plan_from
from veriloop.datasets.points import Categories, Mixture, ring
from veriloop.errors import ConfigError
from veriloop.loop.check import checked
from veriloop.schema import Label, Schema, Vector
from veriloop.testing import check_dataset

DATA = [
    Mixture(),
    Mixture(ring=8, spread=0.1),
    Mixture(means=((-1.0, 0.0), (1.0, 0.0)), shares=(0.8, 0.2), label="made"),
    Mixture(ring=3, label="given"),
    Categories(),
    Categories(shares=(5, 3, 1), start=1000),
]


@pytest.mark.parametrize("data", DATA, ids=repr)
def test_contract(data):
    check_dataset(data)


def test_points_lie_where_they_should():
    real = Mixture(ring=4, spread=0.01, shares=(0.7, 0.1, 0.1, 0.1), label="made", train=4000).load(0)
    label, point = real.train.array("label"), real.train.array("point")
    assert np.allclose(point, np.array(ring(4))[label], atol=0.06)
    assert abs(np.mean(label == 0) - 0.7) < 4 * np.sqrt(0.21 / 4000)
    assert real.conditions is not None
    assert list(real.conditions) == ["point"]


def test_the_schema_says_what_is_given():
    given = Schema({"point": Vector(p=2), "label": Label(classes=3)})
    assert Mixture(ring=3, label="given").schema() == given
    assert Mixture(ring=3, label="made").schema().made == ["label"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"means": ((0.0,), (1.0, 2.0))}, "p numbers for each component"),
        ({"means": ((1.0, 2.0),), "ring": 3}, "one of them"),
        ({"ring": 3, "shares": (1.0, 1.0)}, "one per component"),
        ({"start": 2000}, "start set larger"),
    ],
)
def test_mistakes_are_one_line(fields, message):
    with pytest.raises(ConfigError, match=message):
        plan_from(
            {
                "dataset": {"kind": "mixture", **fields},
                "learner": "gaussian",
                "schedule": {"kind": "constant", "n": 9},
                "arms": ["unverified"],
            }
        )


def test_categories_alone_are_no_leak():
    plan = plan_from(
        {
            "dataset": "categories",
            "learner": "discrete",
            "schedule": {"kind": "constant", "n": 9},
            "arms": ["unverified"],
            "metrics": ["shares", "nll"],
        }
    )
    assert "share_1" in checked(plan).cards.quantities
