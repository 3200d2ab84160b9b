"""How a pixel is distributed around the decoder's mean: two likelihoods of whole counts 0..levels.

``binomial``: Binomial(levels, p). Right for bits (``levels`` 1), and for pixels that count a few points. Its
noise is fixed by its mean, and at 255 levels it is far too small: a model then spends all its latent code on
noise of the pixels.

``logistic``: a logistic distribution around the mean, rounded to whole counts; what lies beyond 0 or
``levels`` falls on the end. One scale for each colour channel is learned with the network, so that the noise
is as large as what the decoder leaves unexplained.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn


class PixelScale(nn.Module):
    """The scales of the logistic distribution, in counts, one for each of ``channels``."""

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.log_scale = nn.Parameter(torch.zeros(channels))

    def start(self) -> None:
        """Begin with a tenth of the whole range; weights that are drawn leave this out."""
        nn.init.constant_(self.log_scale, math.log(self.levels / 10))

    def forward(self, of: Tensor) -> Tensor:
        """The scales, to be broadcast over images of the shape of ``of``, with or without channels."""
        scale = self.log_scale.exp()
        return scale if of.dim() == 4 else scale.squeeze()


def negative_log_likelihood(counts: Tensor, logits: Tensor, levels: int, scale: PixelScale | None) -> Tensor:
    """-log p of each image, in nats, shape (n,); of a Binomial without its coefficients.

    Args:
        counts: Pixels as float counts, shape (n, height, width) or (n, height, width, channels).
        logits: Of the means as shares of ``levels``, of the same shape.
        levels: A pixel counts 0..levels.
        scale: Of the logistic distribution; None for the Binomial.
    """
    pixels = tuple(range(1, counts.dim()))
    if scale is None:
        return -(counts * logits - levels * F.softplus(logits)).sum(pixels)
    width = scale(counts)
    above = counts - levels * torch.sigmoid(logits)
    # With s the sigmoid, s(a) - s(b) = s(a) s(-b) (1 - exp(b - a)), which loses no digits.
    below_end = F.logsigmoid((above + 0.5) / width)
    beyond_start = F.logsigmoid((0.5 - above) / width)
    between = torch.log(-torch.expm1(-1 / width))
    first, last = counts <= 0, counts >= levels
    inside = between.expand_as(counts).masked_fill(first | last, 0)
    log_p = below_end.masked_fill(last, 0) + beyond_start.masked_fill(first, 0) + inside
    return -log_p.sum(pixels)


def log_coefficients(pixels: NDArray[np.uint8], levels: int) -> NDArray[np.float64]:
    """The part of log Binomial that no weight changes, log (levels over count), summed over each image."""
    ways = np.array([math.log(math.comb(levels, k)) for k in range(levels + 1)])
    return ways[pixels].sum(tuple(range(1, pixels.ndim)))


def draw(p: Tensor, levels: int, scale: PixelScale | None, generator: torch.Generator) -> Tensor:
    """Pixels around means ``p`` (shares of ``levels``), as uint8 of the same shape."""
    if scale is None:
        return binomial(levels, p, generator)
    u = torch.rand(p.shape, generator=generator, device=p.device)
    return (p * levels + scale(p) * torch.logit(u)).round_().clamp_(0, levels).to(torch.uint8)


def binomial(levels: int, p: Tensor, generator: torch.Generator) -> Tensor:
    """Counts of ``levels`` Bernoulli draws with probabilities ``p``, shape (n, ...), as uint8.

    A draw compares 16 random bits with p in 65,536ths, which takes a third of the time of a float for
    each. Rounding moves a probability by at most 1/131,072: to see that takes 10^10 draws of a pixel.
    """
    n, *shape = p.shape
    draws = levels * math.prod(shape)
    words = torch.empty(n, -(-draws // 4), dtype=torch.int64, device=p.device)
    drawn = words.random_(-(2**63), None, generator=generator).view(torch.int16)[:, :draws]
    threshold = (p * 65536 - 32768).round_().unsqueeze(1)
    below = drawn.reshape(n, levels, *shape) < threshold
    return below.squeeze(1).view(torch.uint8) if levels == 1 else below.sum(1, dtype=torch.uint8)
