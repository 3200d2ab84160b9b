"""The Gaussian of each label that latent vectors may come from, against the library's Gaussians."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from veriloop.errors import DataError
from veriloop.learners._cvae_generator import CVAEGenerator
from veriloop.learners._cvae_prior import LabelPrior
from veriloop.learners.cvae import CVAE
from veriloop.samples import Samples
from veriloop.testing import check_learner

CLASSES, D = 3, 4
LEARNER = CVAE(
    levels=16, latent_dim=3, channels=(4, 8), epochs=3, batch_size=32, classes=3, prior="per_label"
)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def prior() -> LabelPrior:
    found = LabelPrior(CLASSES, D)
    found.mean.copy_(noise(CLASSES, D, seed=1))
    found.root.copy_(0.3 * noise(CLASSES, D, D, seed=2).tril() + 1.5 * torch.eye(D))
    return found


def two_kinds_of_image(n: int = 90) -> Samples:
    rng, label = np.random.default_rng(1), np.arange(n) % 3
    p = np.where(np.arange(64) % 3 == label[:, None], 0.9, 0.1).reshape(n, 8, 8)
    return Samples(pixels=rng.binomial(16, p).astype(np.uint8), label=label)


def test_divergence_is_the_librarys(prior: LabelPrior) -> None:
    label, mean, log_variance = torch.arange(60) % CLASSES, noise(60, D, seed=3), noise(60, D, seed=4)
    q = Independent(Normal(mean, (log_variance / 2).exp()), 1)
    full = MultivariateNormal(q.mean, scale_tril=q.stddev.diag_embed())
    theirs = kl_divergence(full, MultivariateNormal(prior.mean[label], scale_tril=prior.root[label]))
    torch.testing.assert_close(prior.kl(mean, log_variance, label), theirs, rtol=1e-4, atol=1e-4)


def test_without_a_fit_it_is_the_standard_normal_distribution() -> None:
    prior = LabelPrior(CLASSES, D)
    prior.start()
    label, mean, log_variance = torch.arange(60) % CLASSES, noise(60, D, seed=3), noise(60, D, seed=4)
    q = Normal(mean, (log_variance / 2).exp())
    theirs = kl_divergence(q, Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(prior.kl(mean, log_variance, label), theirs, rtol=1e-4, atol=1e-4)
    assert torch.equal(prior.place(mean, label), mean)


def test_draws_have_the_mean_and_covariance_of_their_label(prior: LabelPrior) -> None:
    n = 40_000
    for y in range(CLASSES):
        placed = prior.place(noise(n, D, seed=5 + y), torch.full((n,), y)).double()
        covariance = (prior.root[y] @ prior.root[y].T).double()
        error = (covariance.diagonal() / n).sqrt()
        assert bool(((placed.mean(0) - prior.mean[y]).abs() < 5 * error).all())
        # Var of a sample covariance's entry is (S_ii S_jj + S_ij^2) / n.
        spread = covariance.diagonal()
        error = ((spread[:, None] * spread + covariance.square()) / n).sqrt()
        assert bool(((placed.T.cov() - covariance).abs() < 5 * error).all())


def test_fit_finds_the_codes_and_leaves_a_label_without_images_alone(prior: LabelPrior) -> None:
    """Codes are draws of q, so half of their variance may be q's own."""
    n, own = 30_000, 0.5
    label = torch.arange(n) % 2  # no image of label 2
    mean = prior.place(noise(n, D, seed=9), label)
    found = LabelPrior(CLASSES, D)
    found.start()
    found.fit(mean, torch.full((n, D), float(np.log(own))), label)
    for y in (0, 1):
        covariance = prior.root[y] @ prior.root[y].T
        spread = covariance.diagonal()
        error = 5 * (spread / (n / 2)).sqrt() + (D + 1) / (n / 2) * prior.mean[y].abs()
        assert bool(((found.mean[y] - prior.mean[y]).abs() < error).all())
        error = 5 * ((spread[:, None] * spread + covariance.square()) / (n / 2)).sqrt()
        error = error + 4 * (D + 1) / (n / 2) * (1 + spread.max())
        expected = covariance + own * torch.eye(D)
        assert bool(((found.root[y] @ found.root[y].T - expected).abs() < error).all())
    assert torch.equal(found.mean[2], torch.zeros(D))
    torch.testing.assert_close(found.root[2], torch.eye(D))


def test_no_other_gaussians_are_nearer_to_the_codes() -> None:
    """The fit minimises the mean divergence: every small step away from it makes it larger."""
    n = 60_000
    label, mean = torch.arange(n) % CLASSES, noise(n, D, seed=3) * torch.tensor([0.5, 1, 1, 2]) + 1
    log_variance = noise(n, D, seed=4) - 1
    found = LabelPrior(CLASSES, D)
    found.start()
    standard = float(found.kl(mean, log_variance, label).double().mean())
    found.fit(mean, log_variance, label)
    best = float(found.kl(mean, log_variance, label).double().mean())
    assert best < standard - 0.5
    for seed in range(20):
        other = LabelPrior(CLASSES, D)
        other.mean.copy_(found.mean + 0.05 * noise(CLASSES, D, seed=seed))
        other.root.copy_(found.root + 0.05 * noise(CLASSES, D, D, seed=seed + 100).tril())
        assert float(other.kl(mean, log_variance, label).double().mean()) > best


def test_the_learner_keeps_the_contract() -> None:
    check_learner(LEARNER, two_kinds_of_image(), Samples(label=np.arange(3)))


def test_a_model_continues_with_its_prior_and_is_loaded_with_it(tmp_path: Path) -> None:
    first = LEARNER.fit(two_kinds_of_image(), None, np.random.default_rng(0))
    assert first.network.prior is not None
    assert not torch.equal(first.network.prior.mean, torch.zeros(3, 3))
    first.save(tmp_path)
    loaded = CVAEGenerator.load(tmp_path)
    condition = Samples(label=np.arange(300) % 3)
    drawn = first.sample(300, np.random.default_rng(2), condition)
    assert loaded.sample(300, np.random.default_rng(2), condition).same_as(drawn)
    second = LEARNER.fit(two_kinds_of_image(), loaded, np.random.default_rng(1))
    assert second.architecture == first.architecture
    with pytest.raises(DataError, match="cannot start from this model"):
        LEARNER.model_copy(update={"prior": "standard"}).fit(
            two_kinds_of_image(), first, np.random.default_rng(1)
        )


def test_models_saved_before_there_was_a_choice_are_standard(tmp_path: Path) -> None:
    standard = LEARNER.model_copy(update={"prior": "standard"})
    model = standard.fit(two_kinds_of_image(), None, np.random.default_rng(0))
    model.save(tmp_path)
    path = tmp_path / "cvae.json"
    content = json.loads(path.read_text())
    del content["prior"]
    path.write_text(json.dumps(content))
    assert CVAEGenerator.load(tmp_path).architecture.prior == "standard"
