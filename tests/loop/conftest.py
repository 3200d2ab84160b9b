import pytest

from veriloop.config import plan_from

TINY = "veriloop.testing.tiny"


@pytest.fixture
def tiny_config():
    """A run of three rounds that takes a few milliseconds."""
    return {
        "seed": 1,
        "rounds": 3,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": {"kind": f"{TINY}:TinyVerifier"},
        "metrics": [f"{TINY}:TinyMetric"],
        "acceptance": {"kind": "top_fraction", "fraction": 0.1},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 60},
        "chunk_size": 100,
        "evaluation_samples": 300,
    }


@pytest.fixture
def tiny_plan(tiny_config):
    """Make a plan of `tiny_config` with changes at its top level."""
    return lambda **changes: plan_from({**tiny_config, **changes})
