"""The network of the CVAE: encoder, decoder, and the evidence bound of both."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True)
class Architecture:
    """What determines the shapes of a network, stored beside its weights.

    Attributes:
        height: Pixels, divisible by 4.
        width: Pixels, divisible by 4.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
        latent_dim: Length of the latent vector.
        channels: Feature maps at half and at a quarter of the resolution.
        kernel: Side of the convolution kernels, 2 or 4; the stride is 2.
    """

    height: int
    width: int
    levels: int
    classes: int
    latent_dim: int
    channels: tuple[int, int]
    kernel: int


class Network(nn.Module):
    """Encoder and decoder, two convolutions of stride 2 each, joined by one linear layer each.

    The convolutions are those of ``nn.Conv2d(.., kernel, 2, padding)`` and ``nn.ConvTranspose2d``, padded to
    exactly half and double the size, with the channels last. How each is computed was chosen by measuring
    (``benchmarks/mnist.py`` shows the whole step against the library's layers alone): matrix products over
    patches, but the library's convolutions between the two inner resolutions when the kernel is 4, where
    patches overlap and would be copied fourfold.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        narrow, wide = a.channels
        features = wide * (a.height // 4) * (a.width // 4)
        self.down1 = PatchDown(1, narrow, a.kernel)
        self.down2 = PatchDown(narrow, wide, 2) if a.kernel == 2 else ConvDown(narrow, wide)
        self.posterior = nn.Linear(features + a.classes, 2 * a.latent_dim)
        self.project = nn.Linear(a.latent_dim + a.classes, features)
        self.up1 = PatchUp(wide, narrow, 2) if a.kernel == 2 else ConvUp(wide, narrow)
        self.up2 = PatchUp(narrow, 1, a.kernel)

    def encode(self, counts: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x, y).

        Args:
            counts: Pixels as float counts, shape (n, height, width).
            label: One-hot, float, shape (n, classes).

        Returns:
            Two tensors of shape (n, latent_dim).
        """
        x = (counts / self.architecture.levels).unsqueeze(-1)
        x = F.relu(self.down2(F.relu(self.down1(x))))
        mean, log_variance = self.posterior(torch.cat([x.flatten(1), label], 1)).chunk(2, 1)
        return mean, log_variance

    def decode(self, latent: Tensor, label: Tensor) -> Tensor:
        """Logits of the pixel probabilities, shape (n, height, width).

        Args:
            latent: Shape (n, latent_dim).
            label: One-hot, float, shape (n, classes).
        """
        a = self.architecture
        x = F.relu(self.project(torch.cat([latent, label], 1)))
        x = x.view(-1, a.height // 4, a.width // 4, a.channels[1])
        return self.up2(F.relu(self.up1(x))).squeeze(-1)

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


class PatchDown(nn.Linear):
    """``nn.Conv2d(inputs, outputs, kernel, 2)`` to half the size, as one matrix product over patches."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(kernel**2 * inputs, outputs)
        self.kernel = kernel

    def forward(self, input: Tensor) -> Tensor:
        """(n, 2h, 2w, inputs) to (n, h, w, outputs)."""
        return super().forward(_patches(input, self.kernel))


class PatchUp(nn.Linear):
    """``nn.ConvTranspose2d(inputs, outputs, kernel, 2)`` to double the size, as one matrix product."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__(inputs, kernel**2 * outputs)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.kernel = kernel

    def forward(self, input: Tensor) -> Tensor:
        """(n, h, w, inputs) to (n, 2h, 2w, outputs)."""
        return _overlay(F.linear(input, self.weight), self.kernel) + self.bias


class ConvDown(nn.Conv2d):
    """PyTorch's own convolution with a kernel of 4, channels last outside and in."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, 2, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(n, 2h, 2w, inputs) to (n, h, w, outputs)."""
        return super().forward(input.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class ConvUp(nn.ConvTranspose2d):
    """PyTorch's own transposed convolution with a kernel of 4, channels last outside and in."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, 2, 1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(n, h, w, inputs) to (n, 2h, 2w, outputs)."""
        return super().forward(input.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


def _patches(x: Tensor, kernel: int) -> Tensor:
    """What a convolution of stride 2 sees: (n, 2h, 2w, c) to (n, h, w, kernel^2 c).

    A kernel of 4 sees four neighbouring 2x2 patches of the image with a border of 1 around it.
    """
    if kernel == 2:
        return _merge(x)
    x = _merge(F.pad(x, (0, 0, 1, 1, 1, 1)))
    return torch.cat([x[:, :-1, :-1], x[:, :-1, 1:], x[:, 1:, :-1], x[:, 1:, 1:]], -1)


def _overlay(x: Tensor, kernel: int) -> Tensor:
    """The reverse of :func:`_patches`: (n, h, w, kernel^2 c) to (n, 2h, 2w, c), overlapping parts summed."""
    if kernel == 2:
        return _split(x)
    a, b, c, d = x.chunk(4, -1)
    # Each goes to its own corner of a grid of patches that is larger by one.
    x = F.pad(a, (0, 0, 0, 1, 0, 1)) + F.pad(b, (0, 0, 1, 0, 0, 1))
    x = x + F.pad(c, (0, 0, 0, 1, 1, 0)) + F.pad(d, (0, 0, 1, 0, 1, 0))
    return _split(x)[:, 1:-1, 1:-1]


def _merge(x: Tensor) -> Tensor:
    n, h, w, c = x.shape
    return x.view(n, h // 2, 2, w // 2, 2, c).transpose(2, 3).reshape(n, h // 2, w // 2, 4 * c)


def _split(x: Tensor) -> Tensor:
    n, h, w, c = x.shape
    return x.view(n, h, w, 2, 2, c // 4).transpose(2, 3).reshape(n, 2 * h, 2 * w, c // 4)
