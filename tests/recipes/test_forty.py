"""The stored models of forty rounds of MNIST, and their records."""

import json
from pathlib import Path

import numpy as np
import pytest

from veriloop.learners._cvae_generator import CVAEGenerator
from veriloop.samples import Samples

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "mnist-forty.json"
MODELS = ROOT / "results" / "models" / "mnist-forty"

# Only where the whole folder is missing, so that a lost file fails.
pytestmark = pytest.mark.skipif(
    not (ROOT / "results").exists(), reason="the source distribution has no results"
)


@pytest.mark.parametrize("number", [10, 20, 40])
def test_a_stored_generator_draws_digits(number: int) -> None:
    folder = MODELS / f"round_{number}"
    assert all(path.stat().st_size < 2_000_000 for path in folder.iterdir())
    generator = CVAEGenerator.load(folder)
    labels = Samples(label=np.repeat(np.arange(10), 20))
    means = generator.means(200, np.random.default_rng(0), labels)
    assert means.shape == (200, 28, 28)
    assert 0 <= means.min() < 0.01
    assert 0.99 < means.max() <= 1
    # Digits of one class are more alike than digits of different classes: by chance, the means of 20 images
    # would vary by a twentieth of what images do.
    by_class = means.reshape(10, 20, -1).mean(axis=1)
    within = means.reshape(10, 20, -1).var(axis=1).sum(axis=-1).mean()
    assert by_class.var(axis=0).sum() > 5 * within / 20


def test_the_records_have_all_rounds_of_both_arms_and_means_of_some() -> None:
    records = json.loads(RESULTS.read_text())["records"]
    for seed in {r["seed"] for r in records}:
        for arm in ("verified", "unverified"):
            own = [r for r in records if r["seed"] == seed and r["arm"] == arm]
            assert [r["round"] for r in own] == list(range(41))
            of_means = [r["round"] for r in own if "frechet_of_means" in r["metrics"]]
            assert of_means == [0, 10, 20, 30, 40]
