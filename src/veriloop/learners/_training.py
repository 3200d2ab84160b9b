"""Training of the CVAE: batches, learning rate, averaged weights, and when to stop."""

import copy
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..advance import StepDone, report
from ..errors import VeriloopError
from ..networks import batch_size, one_cycle
from ._cvae_network import Network
from ._recipe import Training


class TrainingImages:
    """Images and labels on a device; pixels of zeros and ones use one bit each.

    Args:
        pixels: Pixel values, shape (n, height, width) or (n, height, width, channels).
        label: Class indices, shape (n,).
        levels: Largest pixel value.
        device: Target device.

    Attributes:
        label: Class indices on the device, shape (n,).
    """

    def __init__(
        self, pixels: NDArray[np.uint8], label: NDArray[np.int64], levels: int, device: torch.device
    ) -> None:
        self._shape = pixels.shape[1:]
        flat = pixels.reshape(len(pixels), -1)
        self._packed = levels == 1
        # Copied in either case, because columns of samples are read-only, which tensors cannot be.
        self._pixels = torch.from_numpy(np.packbits(flat, axis=1) if self._packed else flat.copy()).to(device)
        self.label = torch.from_numpy(label).to(device)
        self._bit = torch.arange(7, -1, -1, dtype=torch.uint8, device=device)

    def __len__(self) -> int:
        return len(self.label)

    def at(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pixels (m, ...) and labels (m,) of the images at ``rows``, shape (m,)."""
        pixels = self._pixels[rows]
        if self._packed:
            bits = (pixels.unsqueeze(-1) >> self._bit) & 1
            pixels = bits.flatten(1)[:, : math.prod(self._shape)]  # without the padding of the last byte
        return pixels.reshape(-1, *self._shape), self.label[rows]


def train(network: Network, images: TrainingImages, training: Training, generator: torch.Generator) -> None:
    """Train ``network`` in place as ``training`` says. Steps and epochs are reported, see `veriloop.advance`.

    Args:
        network: Network on the device of ``images``.
        images: Training set, at least one image.
        training: Training settings.
        generator: Generator on the same device, for the held-out share, the order of the images, and the
            noise.

    Raises:
        VeriloopError: The loss became NaN or infinite.
    """
    device, latent_dim = generator.device, network.architecture.latent_dim
    order = torch.randperm(len(images), generator=generator, device=device)
    share = 0 if training.holdout is None else math.ceil(training.holdout * len(images))
    # With a single image, the same image is used for training and as held-out set.
    held_out, rows = order[:share], order[min(share, len(order) - 1) :]
    held_out_noise = torch.randn(share, latent_dim, generator=generator, device=device)

    optimizer = torch.optim.Adam(network.parameters(), training.learning_rate, fused=True)
    average = None if training.averaging is None else Average(network, training.averaging)
    result = network if average is None else average.network
    batches = math.ceil(len(rows) / training.batch_size)
    epochs = max(training.epochs, math.ceil(training.min_steps / batches))
    step, best, waited, best_weights = 0, math.inf, 0, None
    steps, enough = epochs * batches, report(StepDone(0, epochs * batches))
    for _ in range(epochs):
        total = torch.zeros((), device=device)
        shuffled = rows[torch.randperm(len(rows), generator=generator, device=device)]
        for batch in shuffled.split(training.batch_size):
            step += 1
            if training.schedule == "cosine":
                rate = training.learning_rate * one_cycle(step / (epochs * batches))
                optimizer.param_groups[0]["lr"] = rate
            noise = torch.randn(len(batch), latent_dim, generator=generator, device=device)
            reconstruction, kl = network.bound(*images.at(batch), noise)
            loss = (reconstruction + kl).sum()
            optimizer.zero_grad()
            (loss / len(batch)).backward()
            optimizer.step()
            total += loss.detach()
            if average is not None:
                average.add(network, step)
            if enough := report(StepDone(step, steps)):
                break
        if enough:
            break
        mean_loss = float(total) / len(rows)
        if not math.isfinite(mean_loss):
            raise VeriloopError("training diverged", got=mean_loss, fix="lower learning_rate")
        report(StepDone(step, steps, mean_loss))
        watched = mean_loss if share == 0 else _bound(result, images, held_out, held_out_noise)
        waited = 0 if watched < best else waited + 1
        if watched < best:
            best = watched
            if share > 0:
                best_weights = copy.deepcopy(result.state_dict())
        if training.patience is not None and waited >= training.patience:
            break
    network.load_state_dict(result.state_dict() if best_weights is None else best_weights)


class Average:
    """A running average of a network's weights over about the last ``share`` of the steps so far.

    Step t enters with weight 1 / (share t), at most 1 (polynomial-decay averaging, Shamir & Zhang 2013, arXiv
    1212.1824), so that early weights are forgotten however long the training takes.

    Attributes:
        network: Network with the averaged weights.
    """

    def __init__(self, network: Network, share: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._share = share

    def add(self, network: nn.Module, step: int) -> None:
        """Add the weights of ``network`` after ``step`` steps, counted from 1."""
        weight = min(1.0, 1 / (self._share * step))
        for mean, new in zip(self.network.parameters(), network.parameters(), strict=True):
            mean.lerp_(new.detach(), weight)


def _bound(network: Network, images: TrainingImages, rows: Tensor, noise: Tensor) -> float:
    """Return the mean negative evidence bound of the images at ``rows``, in nats."""
    size, total = batch_size(rows.device), 0.0
    with torch.inference_mode():
        for batch, drawn in zip(rows.split(size), noise.split(size), strict=True):
            total += float(sum(term.double().sum() for term in network.bound(*images.at(batch), drawn)))
    return total / len(rows)
