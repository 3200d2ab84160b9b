"""A discriminator: a small classifier that tells real images from the generator's."""

import itertools
import json
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from torch import Tensor, nn

from ..datasets.images import balanced_order, images, labels
from ..errors import ConfigError, CorruptFileError, DataError
from ..generator import Generator
from ..networks import blank, device, freeze, in_batches, initialise, load_weights, save_weights
from ..rng import Address, torch_generator
from ..samples import Samples
from ..verdicts import Verdicts
from ._calibration import Calibration, calibrate
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
    s + (1 - 2s) p(real), which lies in [s, 1 - s]; and a trained network is more sure than it may be. To rank
    samples that is enough. Where a score has to be p(real) itself, set ``calibration``.

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
        calibration: The share of the real images, and of as many generated ones, that is not trained on but
            used to map the network's logits to p(real), see `Calibration`. The map is increasing, so samples
            rank as without it. None for scores as the network gives them.
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
    calibration: Annotated[float, Field(gt=0, lt=1)] | None = None
    levels: Annotated[int, Field(ge=1, le=255)] = 1
    classes: Annotated[int, Field(ge=1)] = 10

    _network: Network | None = PrivateAttr(default=None)
    _calibration: Calibration = PrivateAttr(default=Calibration())

    @property
    def calibrated(self) -> bool:
        """Whether ``calibration`` is set; a fixed one knows the ratio to the first generator only."""
        return self.calibration is not None and self.mode == "per_round"

    def update(self, generator: Generator, real: Samples, rng: np.random.Generator) -> Self:
        """This discriminator trained against ``generator``; in ``fixed`` mode only the first time.

        Raises:
            DataError: The real or the generated samples are no images of ``levels`` and ``classes``, or there
                are too few to set some aside.
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
        train, held_out = self._split(label, rng)
        target = torch.full((2 * len(train),), self.label_smoothing, device=label.device)
        target[: len(train)] = 1 - self.label_smoothing
        network = self._trained(
            torch.cat([real_pixels[train], made_pixels[train]]),
            label[train].repeat(2),
            target,
            torch_generator(rng, str(label.device)),
        )
        if not len(held_out):
            return self._with(network, Calibration())
        logits = [_logits(network, p[held_out], label[held_out]) for p in (real_pixels, made_pixels)]
        return self._with(network, calibrate(*logits))

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
        # In float64 a score stays below 1 up to logits of 36, so that D/(1-D) stays finite.
        return Verdicts(self._calibration(_logits(network, pixels, label)))

    def save(self, directory: Path) -> None:
        """Write ``discriminator.json``, and ``discriminator.safetensors`` once it is trained."""
        pixels = None if self._network is None else self._network.pixels
        state = {"pixels": pixels, "calibration": self._calibration}
        (directory / STATE).write_text(json.dumps(state) + "\n")
        if self._network is not None:
            save_weights(self._network, directory / WEIGHTS)

    def load(self, directory: Path) -> Self:
        """This discriminator with the network that :meth:`save` wrote.

        Raises:
            CorruptFileError: A file is missing, cut short, or of a network of other fields.
        """
        path = directory / STATE
        try:
            state = json.loads(path.read_text())
            calibration = Calibration(*map(float, state["calibration"]))
            network = None if state["pixels"] is None else self._blank(state["pixels"])
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as e:
            raise CorruptFileError(f"state of the discriminator {path} cannot be read ({e})") from e
        if network is not None:
            load_weights(network, directory / WEIGHTS)
        return self._with(network, calibration)

    def _with(self, network: Network | None, calibration: Calibration) -> Self:
        trained = self.model_copy()
        # Frozen are the fields; what was learned is private, and set here on a copy nobody has seen.
        trained._network = network  # pyright: ignore[reportAttributeAccessIssue]
        trained._calibration = calibration  # pyright: ignore[reportAttributeAccessIssue]
        return trained

    def _blank(self, pixels: int) -> Network:
        return blank(lambda: Network(pixels, self.levels, self.classes, self.hidden))

    def _seen(self, real: Samples) -> Samples:
        """The real images that this verifier may see: the same draw in every round."""
        if self.real_images is None:
            return real
        order = balanced_order(labels(real, self.classes), Address(seed=0, arm="discriminator").rng())
        return real.select(order[: self.real_images])

    def _split(self, label: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Rows to train on and rows set aside for calibration, these balanced over the classes."""
        n = len(label)
        if self.calibration is None:
            return torch.arange(n, device=label.device), torch.arange(0)
        aside = max(1, round(self.calibration * n))
        if aside >= n:
            raise DataError("real images to train on and to calibrate with", got=n, expected="at least 2")
        order = torch.from_numpy(balanced_order(label.cpu().numpy(), rng)).to(label.device)
        return order[aside:], order[:aside]

    def _columns(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Pixels, shape (n, pixels), and labels, shape (n,), on the device."""
        pixels, label = images(samples, self.levels, self.classes)
        # torch.tensor copies: the columns of samples are read-only, which tensors cannot be.
        return torch.tensor(pixels, device=device()).flatten(1), torch.from_numpy(label).to(device())

    def _trained(self, pixels: Tensor, label: Tensor, target: Tensor, generator: torch.Generator) -> Network:
        network = self._blank(pixels.shape[1]).to(pixels.device)
        initialise(network, generator)
        optimizer = torch.optim.Adam(network.parameters(), self.learning_rate, fused=True)
        for _ in range(self.epochs):
            order = torch.randperm(len(pixels), generator=generator, device=pixels.device)
            for rows in order.split(self.batch_size):
                logits = network.training_logits(pixels[rows], label[rows], self.dropout, generator)
                loss = F.binary_cross_entropy_with_logits(logits, target[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        network.fold()
        freeze(network)
        return network


def _logits(network: Network, pixels: Tensor, label: Tensor) -> NDArray[np.float64]:
    return torch.cat(list(in_batches(network, pixels, label))).cpu().double().numpy()
