"""A discriminator: a small classifier that tells real images from the generator's."""

import itertools
import json
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PrivateAttr
from torch import Tensor, nn

from ..datasets.images import balanced_order, images, labels
from ..errors import ConfigError, CorruptFileError, DataError
from ..generator import Generator
from ..networks import blank, freeze, in_batches, initialise, load_weights, save_weights
from ..rng import Address, torch_generator
from ..samples import Samples
from ..verdicts import Verdicts
from .base import Verifier

WEIGHTS = "discriminator.safetensors"
STATE = "discriminator.json"


class Network(nn.Module):
    """Multi-layer perceptron on the pixels and the one-hot label; LeakyReLU(0.2), one logit.

    Args:
        pixels: Number of pixels.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
        hidden: Width of each hidden layer.
    """

    def __init__(self, pixels: int, levels: int, classes: int, hidden: tuple[int, ...]) -> None:
        super().__init__()
        self.pixels, self.levels, self.classes = pixels, levels, classes
        widths = (pixels + classes, *hidden)
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(widths))
        self.last = nn.Linear(widths[-1], 1)

    def forward(self, pixels: Tensor, label: Tensor) -> Tensor:
        """Logits of "real", shape (n,).

        Args:
            pixels: Counts, shape (n, pixels).
            label: Class indices, shape (n,).
        """
        x = self._inputs(pixels, label)
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), 0.2)
        return self.last(x).squeeze(1)

    def training_logits(
        self, pixels: Tensor, label: Tensor, dropout: float, generator: torch.Generator
    ) -> Tensor:
        """As :meth:`forward`, with dropout and with the last layer under spectral normalisation.

        The last weight has one row, so its spectral norm is that row's length: no power iteration.
        """
        x = self._inputs(pixels, label)
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), 0.2)
            if dropout > 0:  # torch's own dropout draws from its global generator
                kept = torch.empty_like(x).bernoulli_(1 - dropout, generator=generator)
                x = x * kept / (1 - dropout)
        return F.linear(x, F.normalize(self.last.weight), self.last.bias).squeeze(1)

    def fold(self) -> None:
        """Write the spectral normalisation into the last weight, once training is over."""
        with torch.no_grad():
            self.last.weight.copy_(F.normalize(self.last.weight))

    def _inputs(self, pixels: Tensor, label: Tensor) -> Tensor:
        return torch.cat([pixels / self.levels, F.one_hot(label, self.classes)], 1)


class Discriminator(Verifier, frozen=True):
    """Scores an image by the probability that it is real rather than drawn from the generator.

    Each update trains a fresh network on the real images against as many of the current generator, drawn
    for the real images' labels (arXiv 2510.16657, section 5). It sees pixels/levels and the one-hot label.

    The targets are smoothed to s and 1 - s, so the score of an optimal network is
    s + (1 - 2s) p(real), which lies in [s, 1 - s].

    Attributes:
        mode: ``per_round`` trains anew on each round's generator; ``fixed`` trains at its first update and
            is returned unchanged from then on.
        real_images: Learn from at most so many real images, the same ones every round, balanced over the
            classes: fewer make a weaker verifier. None for all.
        hidden: Widths of the hidden layers.
        epochs: Passes over real and synthetic images.
        batch_size: Images per step, real and synthetic mixed.
        learning_rate: Adam's.
        dropout: Share of hidden units dropped in training.
        label_smoothing: The s above.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
    """

    mode: Literal["per_round", "fixed"] = "per_round"
    real_images: Annotated[int, Field(ge=1)] | None = None
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (512, 256, 128, 64)
    epochs: Annotated[int, Field(ge=1)] = 20
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    levels: Annotated[int, Field(ge=1, le=255)] = 1
    classes: Annotated[int, Field(ge=1)] = 10

    _network: Network | None = PrivateAttr(default=None)

    def update(self, generator: Generator, real: Samples, rng: np.random.Generator) -> Self:
        """This discriminator trained against ``generator``; in ``fixed`` mode only the first time.

        Raises:
            DataError: The real or the generated samples are no images of ``levels`` and ``classes``.
        """
        if self.mode == "fixed" and self._network is not None:
            return self
        real = self._seen(real)
        generated = generator.sample(len(real), rng, real.only(["label"]))
        (real_pixels, label), (made_pixels, _) = self._columns(real), self._columns(generated)
        if real_pixels.shape != made_pixels.shape:
            raise DataError(
                "generated images of another size than the real ones",
                got=f"{made_pixels.shape[1]} pixels",
                expected=f"{real_pixels.shape[1]} pixels",
            )
        target = torch.full((2 * len(label),), self.label_smoothing)
        target[: len(label)] = 1 - self.label_smoothing
        network = self._trained(
            torch.cat([real_pixels, made_pixels]), torch.cat([label, label]), target, torch_generator(rng)
        )
        return self._with(network)

    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Score each image by its probability of being real; the decision is left open.

        Raises:
            ConfigError: It was never trained.
            DataError: The samples are no images of the kind it was trained on.
        """
        network = self._network
        if network is None:
            raise ConfigError("an untrained discriminator cannot judge", fix="call update(...) first")
        pixels, label = self._columns(samples)
        if pixels.shape[1] != network.pixels:
            raise DataError(
                "images of another size than the discriminator's",
                got=f"{pixels.shape[1]} pixels",
                expected=f"{network.pixels} pixels",
            )
        logits = torch.cat(list(in_batches(network, pixels, label)))
        # In float64 a score stays below 1 up to logits of 36, so that D/(1-D) stays finite.
        return Verdicts(torch.sigmoid(logits.double()).numpy())

    def save(self, directory: Path) -> None:
        """Write ``discriminator.json``, and ``discriminator.safetensors`` once it is trained."""
        pixels = None if self._network is None else self._network.pixels
        (directory / STATE).write_text(json.dumps({"pixels": pixels}) + "\n")
        if self._network is not None:
            save_weights(self._network, directory / WEIGHTS)

    def load(self, directory: Path) -> Self:
        """This discriminator with the network that :meth:`save` wrote.

        Raises:
            CorruptFileError: A file is missing, cut short, or of a network of other fields.
        """
        path = directory / STATE
        try:
            pixels = json.loads(path.read_text())["pixels"]
            network = None if pixels is None else self._blank(pixels)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as e:
            raise CorruptFileError(f"state of the discriminator {path} cannot be read ({e})") from e
        if network is not None:
            load_weights(network, directory / WEIGHTS)
        return self._with(network)

    def _with(self, network: Network | None) -> Self:
        trained = self.model_copy()
        # Frozen are the fields; what was learned is private, and set here on a copy nobody has seen.
        trained._network = network  # pyright: ignore[reportAttributeAccessIssue]
        return trained

    def _blank(self, pixels: int) -> Network:
        return blank(lambda: Network(pixels, self.levels, self.classes, self.hidden))

    def _seen(self, real: Samples) -> Samples:
        """The real images that this verifier may see: the same draw in every round."""
        if self.real_images is None:
            return real
        order = balanced_order(labels(real, self.classes), Address(seed=0, arm="discriminator").rng())
        return real.select(order[: self.real_images])

    def _columns(self, samples: Samples) -> tuple[Tensor, Tensor]:
        pixels, label = images(samples, self.levels, self.classes)
        # torch.tensor copies: the columns of samples are read-only, which tensors cannot be.
        return torch.tensor(pixels).flatten(1), torch.from_numpy(label)

    def _trained(self, pixels: Tensor, label: Tensor, target: Tensor, generator: torch.Generator) -> Network:
        network = self._blank(pixels.shape[1])
        initialise(network, generator)
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate, fused=True)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(pixels), generator=generator).split(self.batch_size):
                logits = network.training_logits(pixels[rows], label[rows], self.dropout, generator)
                loss = F.binary_cross_entropy_with_logits(logits, target[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        network.fold()
        freeze(network)
        return network
