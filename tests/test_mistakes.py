"""What a constructor raises: one line, as for a configuration."""

from collections.abc import Callable
from typing import Any

import pytest

import veriloop as vl


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: vl.Plan(rounds="x"), "Plan.rounds: got '\"x\"', expected a whole number"),  # pyright: ignore
        (
            lambda: vl.learners.CVAE(latent_dim=-1),
            "CVAE.latent_dim: got '-1', expected greater than or equal",
        ),
        (lambda: vl.learners.CVAE(latent=1), "Did you mean 'latent_dim'?"),  # pyright: ignore
        (lambda: vl.Stop(), "Stop.when: missing"),  # pyright: ignore
        (lambda: vl.Quantity(better="up"), "Quantity.better"),  # pyright: ignore
        (lambda: vl.Quantity(low=2, high=1), "expected low below high"),
        (lambda: vl.Near("here"), "Near.0: got '\"here\"', expected a valid number"),  # pyright: ignore
        (lambda: vl.Estimate("much", 0.1), "Estimate"),  # pyright: ignore
        (lambda: vl.Schema({"x": {"role": "picture"}}), "Schema.x"),
        (lambda: vl.schema.Label(classes=0), "Label.classes"),
        (lambda: vl.verifiers.Cascade(members=[1]), "Cascade.members.0: not a part"),  # pyright: ignore
    ],
)
def test_a_bad_field_is_one_line(make: Callable[[], Any], line: str) -> None:
    with pytest.raises(vl.VeriloopError) as caught:
        make()
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_inner_objects_are_still_made_by_their_own_checks() -> None:
    plan = vl.Plan.model_validate(
        {"dataset": "linear", "learner": "ols", "rounds": 1, "schedule": {"kind": "constant", "n": 5}}
    )
    assert vl.Plan(**plan.model_dump()) == plan
