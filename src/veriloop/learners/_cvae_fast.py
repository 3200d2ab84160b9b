"""The network used to train the CVAE: the same function as `PlainNetwork`, computed faster."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ._cvae_layers import ConvDown, ConvUp, PatchDown, PatchUp, TapsDown, TapsUp
from ._cvae_network import Architecture, Network


class FastNetwork(Network):
    """Encoder and decoder: each has two convolutions of stride 2, joined by linear layers.

    The convolutions are those of ``nn.Conv2d(.., kernel, 2, padding)`` and ``nn.ConvTranspose2d``, padded to
    exactly half and double the size, with channels last. How each is computed was chosen by measurement
    (``benchmarks/mnist.py`` compares the whole step with the library's layers). Patches of a kernel of 2 are
    disjoint: a matrix product. Those of 4 overlap: between the two inner resolutions the library's
    convolutions are fastest; next to the image, with its one channel, a matrix product over the 16 taps.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        a = architecture
        narrow, wide = a.channels
        features = wide * a.quarter[0] * a.quarter[1]
        patches, grey = a.kernel == 2, a.image_channels == 1
        # Weights are drawn in this order, and the bits of every run depend on it.
        if patches:
            self.down1, self.down2 = PatchDown(a.image_channels, narrow), PatchDown(narrow, wide)
        else:
            self.down1 = TapsDown(narrow) if grey else ConvDown(a.image_channels, narrow)
            self.down2 = ConvDown(narrow, wide)
        self.posterior = nn.Linear(features + a.classes, 2 * a.latent_dim)
        self.project = nn.Linear(a.latent_dim + a.classes, features)
        if patches:
            self.up1 = PatchUp(wide, narrow, rectify=True)
            self.up2 = PatchUp(narrow, a.image_channels, rectify=False)
        else:
            self.up1 = ConvUp(wide, narrow, rectify=True)
            self.up2 = TapsUp(narrow) if grey else ConvUp(narrow, a.image_channels, rectify=False)

    def encode(self, counts: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log-variance of the latent vectors, (n, latent_dim) each, given one-hot labels."""
        a = self.architecture
        with self._multiplying(counts):
            x = (counts / a.levels).view(-1, a.height, a.width, a.image_channels)
            if a.height % 4 or a.width % 4:
                x = F.pad(x, (0, 0, 0, -a.width % 4, 0, -a.height % 4))
            x = self.down2(self.down1(x))
            posterior = self.posterior(torch.cat([x.flatten(1), label], 1))
        mean, log_variance = posterior.float().chunk(2, 1)
        return mean, log_variance

    def decode(self, latent: Tensor, label: Tensor) -> Tensor:
        """Return the logits of the pixels, shape (n, *image_shape), given one-hot labels."""
        a = self.architecture
        with self._multiplying(latent):
            x = F.relu_(self.project(torch.cat([latent, label], 1)))
            x = x.view(-1, *a.quarter, a.channels[1])
            logits = self.up2(self.up1(x))
        logits = logits[:, : a.height, : a.width]
        return (logits.squeeze(-1) if a.image_channels == 1 else logits).float()

    def _multiplying(self, input: Tensor) -> torch.autocast:
        lower = self.architecture.precision == "bfloat16"
        return torch.autocast(input.device.type, torch.bfloat16, enabled=lower)
