"""A convolutional conditional variational autoencoder for small labelled images."""

import copy
import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from ..datasets.images import images, labels
from ..errors import CorruptFileError, DataError, VeriloopError
from ..generator import Generator
from ..networks import blank, freeze, in_batches, initialise, load_weights, save_weights
from ..rng import torch_generator
from ..samples import Samples
from .base import Learner

WEIGHTS = "cvae.safetensors"
ARCHITECTURE = "cvae.json"


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
    exactly half and double the size, but written as matrix products over 2x2 patches with the channels last.
    Against the library's layers, on one CPU thread with channels (16, 32), a training step takes 0.6 (kernel
    2) and 0.8 (kernel 4) of the time at 8x8, 0.8 and 1.2 at 28x28; decoding takes 0.2 to 0.8.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = a = architecture
        narrow, wide = a.channels
        features = wide * (a.height // 4) * (a.width // 4)
        patch = a.kernel**2
        self.down1 = nn.Linear(patch, narrow)
        self.down2 = nn.Linear(patch * narrow, wide)
        self.posterior = nn.Linear(features + a.classes, 2 * a.latent_dim)
        self.project = nn.Linear(a.latent_dim + a.classes, features)
        self.up1 = nn.Linear(wide, patch * narrow)
        self.up2 = nn.Linear(narrow, patch)

    def encode(self, counts: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x, y).

        Args:
            counts: Pixels as float counts, shape (n, height, width).
            label: One-hot, float, shape (n, classes).

        Returns:
            Two tensors of shape (n, latent_dim).
        """
        x = (counts / self.architecture.levels).unsqueeze(-1)
        x = F.relu(self.down1(_patches(x, self.architecture.kernel)))
        x = F.relu(self.down2(_patches(x, self.architecture.kernel)))
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
        x = F.relu(_overlay(self.up1(x), a.kernel))
        return _overlay(self.up2(x), a.kernel).squeeze(-1)

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


class Bound(NamedTuple):
    """The negative evidence bound of each of n samples, by term, in nats.

    ``reconstruction + kl`` is, on average over the latent draw, at least ``-log p(pixels | label)``.
    """

    reconstruction: NDArray[np.float64]
    kl: NDArray[np.float64]


class CVAEGenerator(Generator):
    """A trained :class:`CVAE`: p(z) standard normal, pixels Binomial(levels, p(z, label)).

    Args:
        network: Its weights; frozen, and not to be changed afterwards.
    """

    def __init__(self, network: Network) -> None:
        freeze(network)
        self._network = network

    @property
    def architecture(self) -> Architecture:
        """The shapes of the network and its data."""
        return self._network.architecture

    @property
    def network(self) -> Network:
        """The frozen network; copy it to train on."""
        return self._network

    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        """Draw ``n`` images, each pixel from its Binomial distribution, never the decoder's mean.

        Means lack the pixel noise of the data; a model retrained on them loses variance every round.

        Args:
            n: How many.
            rng: First the latents are drawn from it, then the pixels.
            condition: ``n`` rows with a column ``label``.

        Raises:
            DataError: There is no condition, or it has another length, or a label is out of range.
        """
        a = self.architecture
        condition, probabilities = self._decoded(n, rng, condition)
        pixels = np.empty((n, a.height, a.width), np.uint8)
        done = 0
        for p in probabilities:
            pixels[done : done + len(p)] = _binomial(rng, a.levels, p)
            done += len(p)
        return Samples(**{"pixels": pixels, **{k: v for k, v in condition.items() if k != "pixels"}})

    def means(
        self, n: int, rng: np.random.Generator, condition: Samples | None = None
    ) -> NDArray[np.float32]:
        """Pixel probabilities in [0, 1], shape (n, height, width): for pictures, not for training.

        An equal ``rng`` gives the means of the very images that :meth:`sample` draws.
        """
        _, probabilities = self._decoded(n, rng, condition)
        return np.concatenate(list(probabilities))

    def _decoded(
        self, n: int, rng: np.random.Generator, condition: Samples | None
    ) -> tuple[Samples, Iterator[NDArray[np.float32]]]:
        if condition is None or len(condition) != n:
            raise DataError(
                "a CVAE draws images of given labels",
                got="no condition" if condition is None else f"{len(condition)} conditions",
                expected=f"{n} conditions with a column 'label'",
            )
        label = torch.from_numpy(labels(condition, self.architecture.classes))
        latent = torch.from_numpy(rng.standard_normal((n, self.architecture.latent_dim), dtype=np.float32))
        net = self._network
        decoded = in_batches(lambda z, y: torch.sigmoid(net.decode(z, net.one_hot(y))), latent, label)
        return condition, (p.numpy() for p in decoded)

    def elbo(self, samples: Samples, rng: np.random.Generator) -> Bound:
        """The negative evidence bound of each of ``samples``, by one latent draw each.

        Binomial coefficients are included, so the sum of both terms bounds the true negative
        log-likelihood of the counts.

        Raises:
            DataError: The samples are not images of this model's shape, levels and classes.
        """
        a = self.architecture
        pixels, label = images(samples, a.levels, a.classes)
        _check_shape(pixels, a)
        noise = rng.standard_normal((len(pixels), a.latent_dim), dtype=np.float32)
        terms = in_batches(
            lambda *columns: torch.stack(self._network.bound(*columns), 1),
            torch.tensor(pixels),
            torch.from_numpy(label),
            torch.from_numpy(noise),
        )
        reconstruction, kl = torch.cat(list(terms)).double().numpy().T
        ways = np.array([math.log(math.comb(a.levels, k)) for k in range(a.levels + 1)])
        return Bound(reconstruction - ways[pixels].sum((1, 2)), kl.copy())

    def save(self, directory: Path) -> None:
        """Write ``cvae.safetensors`` and ``cvae.json`` (the architecture)."""
        (directory / ARCHITECTURE).write_text(json.dumps(dataclasses.asdict(self.architecture)) + "\n")
        save_weights(self._network, directory / WEIGHTS)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            CorruptFileError: A file is missing, cut short or changed.
        """
        path = directory / ARCHITECTURE
        try:
            fields = json.loads(path.read_text())
            architecture = Architecture(**{**fields, "channels": tuple(fields["channels"])})
            network = blank(lambda: Network(architecture))
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as e:
            raise CorruptFileError(f"model description {path} cannot be read ({e})") from e
        load_weights(network, directory / WEIGHTS)
        return cls(network)


def _binomial(rng: np.random.Generator, levels: int, p: NDArray[np.float32]) -> NDArray:
    if levels == 1:
        return rng.random(p.shape) < p  # what a Bernoulli draw is, over ten times faster
    return rng.binomial(levels, p)


def _check_shape(pixels: NDArray[np.uint8], architecture: Architecture) -> None:
    if pixels.shape[1:] != (architecture.height, architecture.width):
        raise DataError(
            "images of another size than the model's",
            got=f"{pixels.shape[1]}x{pixels.shape[2]}",
            expected=f"{architecture.height}x{architecture.width}",
        )


class CVAE(Learner, frozen=True):
    """Convolutional conditional VAE with a Binomial likelihood, for images whose sides divide by 4.

    Maximises the evidence bound E[log Binomial(pixels; levels, p(z, label))] - KL(q(z | pixels, label) ||
    N(0, I)), summed over pixels, by Adam on shuffled batches. The label joins the latent vector and the
    encoder's features as one-hot. ``levels=1`` is the Bernoulli likelihood of binarised images.

    Defaults follow the paper's protocol (arXiv 2510.16657, section 5). At small
    budgets ``learning_rate=3e-3, schedule="cosine", patience=None`` gets much further.

    Attributes:
        latent_dim: Length of the latent vector.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
        channels: Feature maps at half and at a quarter of the resolution.
        kernel: Side of the convolution kernels. 2 makes disjoint patches, two to three times faster; the
            overlap of 4 generalises better from few images (500 MNIST images: 124 nats against 129).
        epochs: Passes over the data, at most.
        min_steps: Where so many passes make fewer steps than this, more passes are allowed: a start set
            of 25 images is a single batch, and 30 steps train nothing.
        batch_size: Images per step.
        learning_rate: Adam's; its peak under the cosine schedule.
        schedule: ``constant``, or ``cosine``: a linear rise over the first twentieth of all steps, then
            half a cosine down to zero.
        patience: Stop when the mean training loss of an epoch has not improved for so many epochs; None
            to train all epochs. Of little use under ``cosine``, which needs its end.
    """

    generator_type: ClassVar[type[Generator]] = CVAEGenerator

    latent_dim: Annotated[int, Field(ge=1)] = 20
    levels: Annotated[int, Field(ge=1, le=255)] = 1
    classes: Annotated[int, Field(ge=1)] = 10
    channels: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = (32, 64)
    kernel: Literal[2, 4] = 4
    epochs: Annotated[int, Field(ge=1)] = 200
    min_steps: Annotated[int, Field(ge=0)] = 0
    batch_size: Annotated[int, Field(ge=1)] = 128
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    patience: Annotated[int, Field(ge=1)] | None = 5

    def fit(self, samples: Samples, init: Generator | None, rng: np.random.Generator) -> CVAEGenerator:
        """Train on image samples; see the base class.

        Raises:
            DataError: The samples are no images of ``levels`` and ``classes``, their sides do not divide
                by 4, there are none, or ``init`` is a model of another architecture.
            VeriloopError: The loss is no longer a number.
        """
        pixels, label = images(samples, self.levels, self.classes)
        architecture = self._architecture(pixels)
        generator = torch_generator(rng)
        if init is None:
            network = blank(lambda: Network(architecture))
            initialise(network, generator)
        elif isinstance(init, CVAEGenerator) and init.architecture == architecture:
            network = copy.deepcopy(init.network).train().requires_grad_(True)
        else:
            raise DataError(
                "cannot start from this model",
                got=str(getattr(init, "architecture", type(init).__name__)),
                expected=str(architecture),
                fix="start fresh, or keep the learner's architecture fixed",
            )
        # torch.tensor copies: the columns of samples are read-only, which tensors cannot be.
        self._train(network, torch.tensor(pixels), torch.from_numpy(label), generator)
        return CVAEGenerator(network)

    def _architecture(self, pixels: NDArray[np.uint8]) -> Architecture:
        n, height, width = pixels.shape
        if n == 0 or height % 4 or width % 4 or height * width == 0:
            raise DataError(
                "training images",
                got=f"{n} of {height}x{width}",
                expected="at least one, sides divisible by 4",
            )
        return Architecture(
            height, width, self.levels, self.classes, self.latent_dim, self.channels, self.kernel
        )

    def _train(self, network: Network, pixels: Tensor, label: Tensor, generator: torch.Generator) -> None:
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate, fused=True)
        batches = math.ceil(len(pixels) / self.batch_size)
        epochs = max(self.epochs, math.ceil(self.min_steps / batches))
        steps = epochs * batches
        step, best, waited = 0, math.inf, 0
        for _ in range(epochs):
            total = torch.zeros(())
            for rows in torch.randperm(len(pixels), generator=generator).split(self.batch_size):
                if self.schedule == "cosine":
                    optimizer.param_groups[0]["lr"] = self.learning_rate * _one_cycle((step + 1) / steps)
                noise = torch.randn(len(rows), self.latent_dim, generator=generator)
                reconstruction, kl = network.bound(pixels[rows], label[rows], noise)
                loss = (reconstruction + kl).sum()
                optimizer.zero_grad()
                (loss / len(rows)).backward()
                optimizer.step()
                total += loss.detach()
                step += 1
            mean_loss = float(total) / len(pixels)
            if not math.isfinite(mean_loss):
                raise VeriloopError("training diverged", got=mean_loss, fix="lower learning_rate")
            best, waited = (mean_loss, 0) if mean_loss < best else (best, waited + 1)
            if self.patience is not None and waited >= self.patience:
                return


def _one_cycle(progress: float) -> float:
    """Share of the peak learning rate at ``progress`` in (0, 1] of the training."""
    return min(1.0, progress / 0.05) * (1 + math.cos(math.pi * progress)) / 2
