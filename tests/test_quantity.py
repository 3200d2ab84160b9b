import json
import math

import numpy as np
import pytest
from pydantic import TypeAdapter

from veriloop.errors import ConfigError
from veriloop.quantity import Better, Near, Quantity


@pytest.mark.parametrize(
    ("better", "order", "direction", "hint"),
    [
        ("lower", [0.5, 1.0, 1.2, 3.0], "lower", "lower is better"),
        ("higher", [3.0, 1.2, 1.0, 0.5], "higher", "higher is better"),
        (Near(1.0), [1.0, 1.2, 0.5, 3.0], "near 1", "closer to 1 is better"),
        (Near(0.25), [0.5, 1.0, 1.2, 3.0], "near 0.25", "closer to 0.25 is better"),
    ],
)
def test_a_direction_puts_values_in_order(
    better: Better, order: list[float], direction: str, hint: str
) -> None:
    quantity = Quantity(better=better)
    values = np.array([3.0, 1.0, 0.5, 1.2])
    assert values[np.argsort(quantity.loss(values))].tolist() == order
    assert (quantity.direction, quantity.hint) == (direction, hint)


def test_without_a_direction_there_is_no_order() -> None:
    with pytest.raises(ConfigError, match="length has no better direction"):
        _ = Quantity("length").loss
    assert (Quantity().direction, Quantity().hint) == ("", "")


def test_what_stands_beside_a_title() -> None:
    assert Quantity(unit="nats", better="lower").remark == "nats, lower is better"
    assert Quantity(unit="words").remark == "words"
    assert Quantity().remark == ""


def test_bounds() -> None:
    assert Quantity(low=0).bounds == (0, math.inf)
    assert Quantity(high=1).bounds == (-math.inf, 1)
    with pytest.raises(ConfigError, match="low below high"):
        Quantity(low=1, high=1)


@pytest.mark.parametrize("better", ["lower", "higher", Near(1.0), None])
def test_a_quantity_goes_through_json(better: Better) -> None:
    known = TypeAdapter(Quantity)
    quantity = Quantity("A title", better=better, low=0, unit="bits", meaning="What it is.", part_of="whole")
    assert known.validate_json(known.dump_json(quantity)) == quantity
    assert "better" in json.loads(known.dump_json(quantity))
