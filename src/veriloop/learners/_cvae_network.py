"""The network of the CVAE: encoder, decoder, and the evidence bound of both."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._cvae_layers import ConvDown, ConvUp, PatchDown, PatchUp, TapsDown, TapsUp
from ._recipe import Precision


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What determines the shapes of a network and how it computes, stored beside its weights.

    Attributes:
        height: Pixels, divisible by 4.
        width: Pixels, divisible by 4.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
        latent_dim: Length of the latent vector.
        channels: Feature maps at half and at a quarter of the resolution.
        kernel: Side of the convolution kernels, 2 or 4; the stride is 2.
        precision: In which the layers multiply. Weights are float32 in either case, and so are the bound's
            terms and what comes of them.
    """

    height: int
    width: int
    levels: int
    classes: int
    latent_dim: int
    channels: tuple[int, int]
    kernel: int
    precision: Precision = "float32"


class Network(nn.Module):
    """Encoder and decoder, two convolutions of stride 2 each, joined by one linear layer each.

    The convolutions are those of ``nn.Conv2d(.., kernel, 2, padding)`` and ``nn.ConvTranspose2d``, padded to
    exactly half and double the size, with the channels last. How each is computed was chosen by measuring
    (``benchmarks/mnist.py`` shows the whole step against the library's layers alone). Patches of a kernel of
    2 are disjoint: a matrix product. Those of 4 overlap: between the two inner resolutions the library's
    convolutions are fastest; beside the image, with its one channel, a matrix product over the 16 taps.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        narrow, wide = a.channels
        features = wide * (a.height // 4) * (a.width // 4)
        disjoint = a.kernel == 2
        self.down1 = PatchDown(1, narrow) if disjoint else TapsDown(narrow)
        self.down2 = PatchDown(narrow, wide) if disjoint else ConvDown(narrow, wide)
        self.posterior = nn.Linear(features + a.classes, 2 * a.latent_dim)
        self.project = nn.Linear(a.latent_dim + a.classes, features)
        self.up1 = PatchUp(wide, narrow, rectify=True) if disjoint else ConvUp(wide, narrow)
        self.up2 = PatchUp(narrow, 1, rectify=False) if disjoint else TapsUp(narrow)

    def encode(self, counts: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x, y).

        Args:
            counts: Pixels as float counts, shape (n, height, width).
            label: One-hot, float, shape (n, classes).

        Returns:
            Two tensors of shape (n, latent_dim).
        """
        with self._multiplying(counts):
            x = (counts / self.architecture.levels).unsqueeze(-1)
            x = self.down2(self.down1(x))
            posterior = self.posterior(torch.cat([x.flatten(1), label], 1))
        mean, log_variance = posterior.float().chunk(2, 1)
        return mean, log_variance

    def decode(self, latent: Tensor, label: Tensor) -> Tensor:
        """Logits of the pixel probabilities, shape (n, height, width).

        Args:
            latent: Shape (n, latent_dim).
            label: One-hot, float, shape (n, classes).
        """
        a = self.architecture
        with self._multiplying(latent):
            x = F.relu_(self.project(torch.cat([latent, label], 1)))
            x = x.view(-1, a.height // 4, a.width // 4, a.channels[1])
            logits = self.up2(self.up1(x))
        return logits.float().squeeze(-1)

    def _multiplying(self, input: Tensor) -> torch.autocast:
        lower = self.architecture.precision == "bfloat16"
        return torch.autocast(input.device.type, torch.bfloat16, enabled=lower)

    def one_hot(self, label: Tensor) -> Tensor:
        """Labels (n,) as float one-hot rows (n, classes)."""
        return F.one_hot(label, self.architecture.classes).float()

    def bound(self, counts: Tensor, label: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Both terms of the negative evidence bound in nats, shape (n,) each, by one latent draw.

        The first, reconstruction, is without the log-binomial coefficient, which no weight changes.

        Args:
            counts: Pixels, shape (n, height, width).
            label: Class indices, shape (n,).
            noise: Standard normal, shape (n, latent_dim).
        """
        counts, label = counts.float(), self.one_hot(label)
        mean, log_variance = self.encode(counts, label)
        logits = self.decode(mean + noise * torch.exp(log_variance / 2), label)
        log_likelihood = counts * logits - self.architecture.levels * F.softplus(logits)
        kl = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        return -log_likelihood.sum((1, 2)), kl.sum(1)
