"""The likelihoods of pixels against SciPy's distributions."""

import numpy as np
import pytest
import torch
from scipy import stats

from veriloop.learners._cvae_likelihood import (
    PixelScale,
    draw,
    log_coefficients,
    negative_log_likelihood,
)

LEVELS = 255
EVERY = torch.arange(LEVELS + 1).float()


def scale_of(*counts: float) -> PixelScale:
    scale = PixelScale(len(counts), LEVELS)
    scale.log_scale.data = torch.tensor(counts).log()
    return scale


@pytest.mark.parametrize("width", [0.05, 1.0, 20.0, 500.0])
@pytest.mark.parametrize("mean", [0.3, 127.5, 254.9])
def test_the_logistic_likelihood_is_the_rounded_distribution(mean: float, width: float) -> None:
    logits = torch.logit(torch.tensor(mean / LEVELS)).expand(LEVELS + 1, 1, 1)
    ours = -negative_log_likelihood(EVERY[:, None, None], logits, LEVELS, scale_of(width)).detach()
    edges = np.concatenate([[-np.inf], np.arange(LEVELS) + 0.5, [np.inf]])
    p = np.diff(stats.logistic(mean, width).cdf(edges))
    seen = p > 1e-12  # beyond, SciPy's difference has no digits left
    # Means near the end are known to 2e-5 of a count in float32, which counts as often as scales fit in.
    atol = 1e-4 + 4e-5 / width
    np.testing.assert_allclose(ours.numpy()[seen], np.log(p[seen]), rtol=1e-4, atol=atol)
    assert float(ours.double().exp().sum()) == pytest.approx(1, abs=1e-3)


def test_each_channel_has_its_scale_and_draws_follow_the_likelihood() -> None:
    n = 40_000
    scale = scale_of(2.0, 30.0)
    p = torch.tensor([0.02, 0.5]).expand(n, 1, 1, 2)
    drawn = draw(p, LEVELS, scale, torch.Generator().manual_seed(0))
    assert drawn.dtype == torch.uint8
    assert drawn.shape == p.shape
    for channel, probability in enumerate((0.02, 0.5)):
        logits = torch.full((LEVELS + 1, 1, 1), probability).logit()
        only = scale_of((2.0, 30.0)[channel])
        log_p = -negative_log_likelihood(EVERY[:, None, None], logits, LEVELS, only).detach()
        expected = log_p.double().exp().numpy()
        counts = np.bincount(drawn[..., channel].flatten().numpy(), minlength=LEVELS + 1)
        often = expected * n > 10
        found, wanted = counts[often], expected[often] * n
        if not often.all():
            found, wanted = (
                np.append(found, counts[~often].sum()),
                np.append(wanted, expected[~often].sum() * n),
            )
        assert wanted.sum() == pytest.approx(n, rel=1e-3)
        assert stats.chisquare(found, wanted * (n / wanted.sum())).pvalue > 1e-4


def test_gradients_are_finite_far_from_the_mean() -> None:
    logits = torch.full((2, 4, 4, 3), -60.0, requires_grad=True)
    scale = scale_of(0.01, 1.0, 1000.0)
    counts = torch.stack([torch.zeros(4, 4, 3), torch.full((4, 4, 3), 255.0)])
    loss = negative_log_likelihood(counts, logits, LEVELS, scale).sum()
    loss.backward()
    assert loss.detach().isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert scale.log_scale.grad is not None
    assert scale.log_scale.grad.isfinite().all()


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 3)])
def test_coefficients_are_summed_over_all_pixels(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 17, (5, *shape), np.uint8)
    full = stats.binom.logpmf(pixels, 16, 0.3) - pixels * np.log(0.3 / 0.7) - 16 * np.log(0.7)
    np.testing.assert_allclose(log_coefficients(pixels, 16), full.reshape(5, -1).sum(1), rtol=1e-10)
