"""The CVAE of the paper as one writes it first: the library's layers, eager, in their usual layout."""

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:  # benchmarks/mnist.py says why nothing of veriloop is imported with this
    from veriloop.learners._cvae_fast import FastNetwork

BATCH, LATENT, CHANNELS, SIDE = 128, 20, (32, 64), 28


class Plain(nn.Module):
    """Encoder and decoder; the same function as ours with equal weights."""

    def __init__(self) -> None:
        super().__init__()
        narrow, wide = CHANNELS
        self.inner = (wide, SIDE // 4, SIDE // 4)
        features = math.prod(self.inner)
        self.down1 = nn.Conv2d(1, narrow, 4, 2, 1)
        self.down2 = nn.Conv2d(narrow, wide, 4, 2, 1)
        self.posterior = nn.Linear(features + 10, 2 * LATENT)
        self.project = nn.Linear(LATENT + 10, features)
        self.up1 = nn.ConvTranspose2d(wide, narrow, 4, 2, 1)
        self.up2 = nn.ConvTranspose2d(narrow, 1, 4, 2, 1)

    def decode(self, latent: Tensor, one_hot: Tensor) -> Tensor:
        """Logits, shape (n, 1, height, width)."""
        x = F.relu(self.project(torch.cat([latent, one_hot], 1))).view(-1, *self.inner)
        return self.up2(F.relu(self.up1(x)))

    def bound(self, pixels: Tensor, label: Tensor, noise: Tensor) -> Tensor:
        """The negative evidence bound of each image, in nats."""
        one_hot = F.one_hot(label, 10).float()
        x = F.relu(self.down2(F.relu(self.down1(pixels)))).flatten(1)
        mean, log_variance = self.posterior(torch.cat([x, one_hot], 1)).chunk(2, 1)
        logits = self.decode(mean + noise * torch.exp(log_variance / 2), one_hot)
        likelihood = F.binary_cross_entropy_with_logits(logits, pixels, reduction="none").sum((1, 2, 3))
        return likelihood + ((mean**2 + log_variance.exp() - 1 - log_variance) / 2).sum(1)

    def same_as(self, network: "FastNetwork") -> "Plain":
        """With the weights of ours, which orders patches and features with the channels last."""

        def kernel(weight: Tensor) -> Tensor:  # rows over (patch y, patch x, y, x) of one channel
            return weight.view(-1, 2, 2, 2, 2).permute(0, 1, 3, 2, 4).reshape(-1, 1, 4, 4)

        wide, h, w = self.inner
        mine = {k: v.detach().clone() for k, v in network.state_dict().items()}
        mine["down1.weight"] = kernel(mine["down1.weight"])
        mine["up2.weight"] = kernel(mine["up2.weight"].T)
        features = torch.arange(wide * h * w).view(h, w, wide).permute(2, 0, 1).flatten()
        posterior = mine["posterior.weight"]
        mine["posterior.weight"] = torch.cat([posterior[:, features], posterior[:, len(features) :]], 1)
        mine["project.weight"] = mine["project.weight"][features]
        mine["project.bias"] = mine["project.bias"][features]
        self.load_state_dict(mine)
        return self
