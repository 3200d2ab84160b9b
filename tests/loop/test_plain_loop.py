"""The engine gives the bits of the plain loop."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from veriloop.config import plan_from
from veriloop.datasets.digits import Digits
from veriloop.learners.cvae import CVAE
from veriloop.loop import load_state, run
from veriloop.samples import Samples
from veriloop.testing.tiny import TinyData, TinyLearner, TinyVerifier
from veriloop.verifiers.discriminator import Discriminator

PLAIN = Path(__file__).parents[2] / "examples" / "plain_loop.py"


def _plain_loop():
    spec = importlib.util.spec_from_file_location("plain_loop", PLAIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.plain_loop


TINY = (TinyData(), TinyLearner(), TinyVerifier(bias=0.5))
REAL = (
    Digits(),
    CVAE(levels=16, epochs=3),
    Discriminator(levels=16, epochs=1),
)


@pytest.mark.parametrize(("parts", "classes"), [(TINY, 3), (REAL, 10)], ids=["tiny", "digits"])
@pytest.mark.parametrize("arm", ["verified", "unverified"])
def test_engine_equals_plain_loop_bit_for_bit(parts, classes, arm, tmp_path):
    dataset = parts[0]
    learner, verifier = (part.suited_to(dataset.schema()) for part in parts[1:])
    keep = 20 * classes
    plan = plan_from(
        {
            "seed": 7,
            "rounds": 2,
            "dataset": dataset.model_dump(),
            "learner": learner.model_dump(),
            "verifier": verifier.model_dump(),
            "acceptance": {"kind": "top_fraction", "fraction": 0.1},
            "balance": "label",
            "schedule": {"kind": "constant", "n": keep},
            "arms": [arm],
            "chunk_size": 130,
            "evaluation_samples": 10,
            "executor": {"kind": "process", "workers": 2},
            "parallel": "chunks",
        }
    )
    folder = run(plan, tmp_path / "run")
    labels = Samples(label=np.arange(50) % classes)
    plain = _plain_loop()(
        dataset.load(7),
        learner,
        verifier if arm == "verified" else None,
        seed=7,
        rounds=2,
        keep=keep,
        chunk=130,
    )
    for round_, model, kept in plain:
        state = load_state(plan, folder, arm, round_)
        drawn = state.generator.sample(50, np.random.default_rng(1), labels)
        assert drawn.same_as(model.sample(50, np.random.default_rng(1), labels))
        if kept is not None:
            assert folder.kept(round_, arm).only(list(kept)).same_as(kept)
