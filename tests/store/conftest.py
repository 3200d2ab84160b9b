from collections.abc import Callable

import pytest

from veriloop.config import plan_from
from veriloop.loop.plan import Plan

TINY = "veriloop.testing.tiny"


@pytest.fixture
def tiny_plan() -> Callable[[], Plan]:
    """A run of a few milliseconds."""
    return lambda: plan_from(
        {
            "dataset": f"{TINY}:TinyData",
            "learner": f"{TINY}:TinyLearner",
            "arms": ["unverified"],
            "schedule": {"kind": "constant", "n": 20},
        }
    )
