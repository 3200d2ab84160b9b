"""Training: packed images, averaged weights, and a held-out share."""

import numpy as np
import pytest
import torch
from torch import nn

from veriloop.learners._cvae_fast import FastNetwork
from veriloop.learners._cvae_generator import CVAEGenerator
from veriloop.learners._cvae_network import Architecture
from veriloop.learners._training import Average, TrainingImages
from veriloop.learners.cvae import CVAE
from veriloop.samples import Samples
from veriloop.testing import check_learner

TINY = CVAE(levels=1, latent_dim=3, channels=(4, 8), kernel=2, epochs=3, batch_size=32, classes=3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def stripes(n: int, seed: int = 1) -> Samples:
    label = np.arange(n) % 3
    p = np.where(np.arange(64) % 3 == label[:, None], 0.8, 0.2).reshape(n, 8, 8)
    return Samples(pixels=(rng(seed).random(p.shape) < p).astype(np.uint8), label=label)


def nelbo(generator: CVAEGenerator, samples: Samples) -> float:
    return float(np.sum(generator.elbo(samples, rng())) / len(samples))


@pytest.mark.parametrize("levels", [1, 16])
@pytest.mark.parametrize("shape", [(8, 8), (4, 12), (28, 28)])
def test_images_come_back_as_they_went_in(levels: int, shape: tuple[int, int]) -> None:
    pixels = rng().integers(0, levels + 1, (20, *shape), np.uint8)
    images = TrainingImages(pixels, np.arange(20), levels, torch.device("cpu"))
    rows = torch.tensor([3, 19, 3, 0])
    at, label = images.at(rows)
    assert np.array_equal(at.numpy(), pixels[rows])
    assert torch.equal(label, rows)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_an_average_lags_behind_by_its_share(share: float) -> None:
    """Weights that grow as t have the average (t + 1) / (1 + share): it solves the recursion."""
    network = FastNetwork(Architecture(8, 8, 1, 3, 2, (2, 2), 2)).requires_grad_(False)
    average = Average(network, share)
    steps = 400
    for step in range(1, steps + 1):
        for weights in network.parameters():
            weights.fill_(step)
        average.add(network, step)
    mean = nn.utils.parameters_to_vector(average.network.parameters())
    torch.testing.assert_close(mean, torch.full_like(mean, (steps + 1) / (1 + share)), rtol=1e-3, atol=0.0)


def test_the_first_steps_replace_the_average() -> None:
    network = FastNetwork(Architecture(8, 8, 1, 3, 2, (2, 2), 2)).requires_grad_(False)
    average = Average(network, 0.1)
    for weights in network.parameters():
        weights.fill_(7)
    average.add(network, 1)
    assert all(bool((weights == 7).all()) for weights in average.network.parameters())


@pytest.mark.parametrize("update", [{"averaging": 0.3}, {"holdout": 0.2}, {"averaging": 0.3, "holdout": 0.2}])
def test_keeps_the_contract(update: dict[str, float]) -> None:
    check_learner(TINY.model_copy(update=update), stripes(60), Samples(label=np.arange(3)))


def test_a_held_out_share_stops_before_the_images_are_learned_by_heart() -> None:
    few, fresh = stripes(30), stripes(600, seed=2)
    learner = TINY.model_copy(update={"channels": (16, 32), "epochs": 300, "learning_rate": 5e-3})
    by_heart = learner.model_copy(update={"patience": None}).fit(few, None, rng())
    stopped = learner.model_copy(update={"holdout": 0.3, "patience": 20}).fit(few, None, rng())
    assert nelbo(by_heart, few) < nelbo(stopped, few)
    assert nelbo(stopped, fresh) < nelbo(by_heart, fresh) - 5


def test_averaged_weights_are_better_than_the_last_ones_at_a_constant_rate() -> None:
    images, fresh = stripes(200), stripes(300, seed=2)
    learner = TINY.model_copy(update={"epochs": 12, "learning_rate": 0.02, "patience": None, "batch_size": 8})
    last, averaged = (
        learner.model_copy(update={"averaging": a}).fit(images, None, rng()) for a in (None, 0.2)
    )
    assert nelbo(averaged, fresh) < nelbo(last, fresh)


def test_a_single_image_can_be_held_out() -> None:
    generator = TINY.model_copy(update={"holdout": 0.5}).fit(stripes(1), None, rng())
    bound = generator.elbo(stripes(1), rng())
    assert np.isfinite(bound.reconstruction + bound.kl).all()
