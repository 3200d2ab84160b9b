"""Distributions of a pixel around the decoder's mean: two likelihoods of integers 0..levels.

``binomial``: Binomial(levels, p). It suits bits (``levels`` 1), and pixels that count a few points. Its noise
follows from its mean, and at 255 levels it is far too small: a model would spend its whole latent code on
pixel noise.

``logistic``: a logistic distribution around the mean, rounded to integers, with the tails beyond 0 and
``levels`` moved to the ends. One scale per colour channel is learned with the network, so that the noise
matches what the decoder leaves unexplained.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn


class PixelScale(nn.Module):
    """The scales of the logistic distribution, in pixel values, one for each of ``channels``."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.log_scale: nn.Parameter = nn.Parameter(torch.zeros(channels))

    def start(self) -> None:
        """Start with a tenth of the whole range; the random initial weights do not include this."""
        nn.init.constant_(self.log_scale, math.log(self.levels / 10))

    def forward(self, of: Tensor) -> Tensor:
        """Return the scales, ready to broadcast over images shaped like ``of``, with or without channels."""
        scale = self.log_scale.exp()
        return scale if of.dim() == 4 else scale.squeeze()


def negative_log_likelihood(counts: Tensor, logits: Tensor, levels: int, scale: PixelScale | None) -> Tensor:
    """Return -log p of each image, in nats, shape (n,); for a Binomial without its coefficients.

    Args:
        counts: Pixels as floats, shape (n, height, width) or (n, height, width, channels).
        logits: Logits of the means as shares of ``levels``, with the same shape.
        levels: Largest pixel value.
        scale: Scale of the logistic distribution; None for the Binomial.
    """
    pixels = tuple(range(1, counts.dim()))
    if scale is None:
        return -(counts * logits - levels * F.softplus(logits)).sum(pixels)
    width = scale(counts)
    above = counts - levels * torch.sigmoid(logits)
    # With s the sigmoid, s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)), which avoids cancellation.
    below_end = F.logsigmoid((above + 0.5) / width)
    beyond_start = F.logsigmoid((0.5 - above) / width)
    between = torch.log(-torch.expm1(-1 / width))
    first, last = counts <= 0, counts >= levels
    inside = between.expand_as(counts).masked_fill(first | last, 0)
    log_p = below_end.masked_fill(last, 0) + beyond_start.masked_fill(first, 0) + inside
    return -log_p.sum(pixels)


def log_coefficients(pixels: NDArray[np.uint8], levels: int) -> NDArray[np.float64]:
    """Return the constant part of log Binomial, log (levels over count), summed over each image."""
    ways = np.array([math.log(math.comb(levels, k)) for k in range(levels + 1)])
    return ways[pixels].sum(tuple(range(1, pixels.ndim)))


def draw(p: Tensor, levels: int, scale: PixelScale | None, generator: torch.Generator) -> Tensor:
    """Draw pixels around means ``p`` (shares of ``levels``), as uint8 with the same shape."""
    if scale is None:
        return binomial(levels, p, generator)
    u = torch.rand(p.shape, generator=generator, device=p.device)
    return (p * levels + scale(p) * torch.logit(u)).round_().clamp_(0, levels).to(torch.uint8)


def binomial(levels: int, p: Tensor, generator: torch.Generator) -> Tensor:
    """Count ``levels`` Bernoulli draws with probabilities ``p``, shape (n, ...), as uint8.

    Each draw compares 16 random bits with p in 65,536ths, which takes a third of the time of drawing floats.
    Rounding changes a probability by at most 1/131,072, which would take 10^10 draws of a pixel to detect.
    """
    n, *shape = p.shape
    draws = levels * math.prod(shape)
    words = torch.empty(n, -(-draws // 4), dtype=torch.int64, device=p.device)
    drawn = words.random_(-(2**63), None, generator=generator).view(torch.int16)[:, :draws]
    threshold = (p * 65536 - 32768).round_().unsqueeze(1)
    below = drawn.reshape(n, levels, *shape) < threshold
    return below.squeeze(1).view(torch.uint8) if levels == 1 else below.sum(1, dtype=torch.uint8)
