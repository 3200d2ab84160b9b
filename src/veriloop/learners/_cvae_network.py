"""The conditional variational autoencoder in plain layers. Read this file first.

An image x with label y is encoded as a normal distribution q(z | x, y) of a short latent vector z. From a
draw of z and the label, the decoder returns the distribution of each pixel. Training maximises the bound

    E[log p(x | z, y)] - KL(q(z | x, y) || N(0, I)),

and a new image is a draw of z from N(0, I), then of the pixels. In both, a Gaussian of the label may take
the place of N(0, I), see `_cvae_prior`.

`PlainNetwork` uses standard layers. The network used for training, `FastNetwork` in `_cvae_fast.py`, computes
the same function in less time; a test checks that they agree.
"""

import dataclasses
from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._cvae_likelihood import PixelScale, negative_log_likelihood
from ._cvae_prior import LabelPrior
from ._recipe import Likelihood, Precision, Prior


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The shapes of a network and how it computes, stored with its weights.

    Attributes:
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        levels: Largest pixel value.
        classes: Number of labels.
        latent_dim: Length of the latent vector.
        channels: Number of feature maps at half and at a quarter of the resolution.
        kernel: Side of the convolution kernels, 2 or 4; the stride is 2.
        precision: Number format of the layers' products. Weights are always float32, and so are the terms of
            the bound and everything computed from them.
        image_channels: 1 for grey images, of shape (n, height, width); 3 for colour, (n, height, width, 3).
        likelihood: Distribution of a pixel, see `_cvae_likelihood`.
        prior: Distribution of the latent vector, see `_cvae_prior`.
        temperature: Divides the logits of binary pixels where images are drawn, though not in the bound.
    """

    height: int
    width: int
    levels: int
    classes: int
    latent_dim: int
    channels: tuple[int, int]
    kernel: int
    precision: Precision = "float32"
    image_channels: int = 1
    likelihood: Likelihood = "binomial"
    prior: Prior = "standard"
    temperature: float = 1.0

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image's array."""
        size = (self.height, self.width)
        return size if self.image_channels == 1 else (*size, self.image_channels)

    @property
    def quarter(self) -> tuple[int, int]:
        """Height and width at a quarter of the resolution, rounded up: images are padded to fit."""
        return -(-self.height // 4), -(-self.width // 4)


class Network(nn.Module, ABC):
    """Common parts of all CVAE networks: an encoder, a decoder, and the evidence bound."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        logistic = a.likelihood == "logistic"
        self.scale: PixelScale | None = PixelScale(a.image_channels, a.levels) if logistic else None
        by_label = a.prior == "per_label"
        self.prior: LabelPrior | None = LabelPrior(a.classes, a.latent_dim) if by_label else None

    @abstractmethod
    def encode(self, counts: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of q(z | x, y).

        Args:
            counts: Pixels as floats, shape (n, *image_shape).
            label: One-hot labels as floats, shape (n, classes).

        Returns:
            Two tensors of shape (n, latent_dim).
        """

    @abstractmethod
    def decode(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return logits of each pixel's mean as a share of ``levels``, shape (n, *image_shape).

        Args:
            latent: Latent vectors, shape (n, latent_dim).
            label: One-hot labels as floats, shape (n, classes).
        """

    def one_hot(self, label: Tensor) -> Tensor:
        """Convert labels (n,) to one-hot rows of floats (n, classes)."""
        return F.one_hot(label, self.architecture.classes).float()

    def bound(self, counts: Tensor, label: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return both terms of the negative evidence bound in nats, shape (n,) each, with one latent draw.

        The first term, reconstruction, omits the log-binomial coefficient, which does not depend on the
        weights.

        Args:
            counts: Pixels, shape (n, *image_shape).
            label: Class indices, shape (n,).
            noise: Standard normal noise, shape (n, latent_dim).
        """
        counts, one_hot = counts.float(), self.one_hot(label)
        mean, log_variance = self.encode(counts, one_hot)
        logits = self.decode(mean + noise * torch.exp(log_variance / 2), one_hot)
        reconstruction = negative_log_likelihood(counts, logits, self.architecture.levels, self.scale)
        if self.prior is not None:
            return reconstruction, self.prior.kl(mean, log_variance, label)
        kl = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
        return reconstruction, kl.sum(1)


class PlainNetwork(Network):
    """Two convolutions down, two transposed ones up, and a linear layer on each side of the latent vector.

    It is not used for training; it defines what `FastNetwork` computes.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        a = architecture
        narrow, wide = a.channels
        padding = (a.kernel - 2) // 2  # so that each layer exactly halves or doubles the size
        features = wide * a.quarter[0] * a.quarter[1]
        self.down1 = nn.Conv2d(a.image_channels, narrow, a.kernel, 2, padding)
        self.down2 = nn.Conv2d(narrow, wide, a.kernel, 2, padding)
        self.posterior = nn.Linear(features + a.classes, 2 * a.latent_dim)
        self.project = nn.Linear(a.latent_dim + a.classes, features)
        self.up1 = nn.ConvTranspose2d(wide, narrow, a.kernel, 2, padding)
        self.up2 = nn.ConvTranspose2d(narrow, a.image_channels, a.kernel, 2, padding)

    def encode(self, counts: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent vectors, (n, latent_dim) each, given one-hot labels."""
        a = self.architecture
        x = (counts / a.levels).reshape(-1, a.height, a.width, a.image_channels).permute(0, 3, 1, 2)
        x = F.pad(x, (0, -a.width % 4, 0, -a.height % 4))
        x = F.relu(self.down1(x))
        x = F.relu(self.down2(x))
        mean, log_variance = self.posterior(torch.cat([x.flatten(1), label], 1)).chunk(2, 1)
        return mean, log_variance

    def decode(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return the logits of the pixels, shape (n, *image_shape), given one-hot labels."""
        a = self.architecture
        x = F.relu(self.project(torch.cat([latent, label], 1)))
        x = x.view(-1, a.channels[1], *a.quarter)
        x = F.relu(self.up1(x))
        logits = self.up2(x)[:, :, : a.height, : a.width]
        return logits.permute(0, 2, 3, 1).reshape(-1, *a.image_shape)
