"""A discriminator: a small classifier that tells real images from the generator's."""

import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from ..datasets.images import balanced_order, images, labels
from ..errors import ConfigError, CorruptFileError, DataError
from ..generator import Generator
from ..judge import Judge
from ..networks import blank, device, freeze, in_batches, initialise, load_weights, save_weights
from ..rng import Address, torch_generator
from ..samples import Samples
from ..schema import Schema, agreed
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

    def __init__(self, pixels: int, levels: int, classes: int, hidden: Sequence[int]) -> None:
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


class Looks(NamedTuple):
    """How a discriminator looks at samples.

    Attributes:
        image: The column of images.
        label: The column of labels.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
    """

    image: str
    label: str
    levels: int
    classes: int

    def at(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Pixels, shape (n, pixels), and labels, shape (n,), on the device.

        Raises:
            DataError: The samples are no images of this kind.
        """
        pixels, label = images(samples, self.levels, self.classes, self.image, self.label)
        # torch.tensor copies: the columns of samples are read-only, which tensors cannot be.
        return torch.tensor(pixels, device=device()).flatten(1), torch.from_numpy(label).to(device())


class DiscriminatorJudge(Judge):
    """A trained `Discriminator`.

    Args:
        looks: How it looks at samples.
        network: Trained and frozen.
        calibration: Maps the network's logits to scores.
    """

    def __init__(self, looks: Looks, network: Network, calibration: Calibration) -> None:
        self.looks, self.network, self.calibration = looks, network, calibration

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Score each image by its probability of being real; the decision is left open.

        Raises:
            DataError: The samples are no images of the kind it was trained on.
        """
        pixels, label = self.looks.at(samples)
        if pixels.shape[1] != self.network.pixels:
            raise DataError(
                "images of another size than the discriminator's",
                got=f"{pixels.shape[1]} pixels",
                expected=f"{self.network.pixels} pixels",
            )
        # In float64 a score stays below 1 up to logits of 36, so that D/(1-D) stays finite.
        return Verdicts(self.calibration(_logits(self.network, pixels, label)))

    @override
    def save(self, directory: Path) -> None:
        """Write ``discriminator.json`` and ``discriminator.safetensors``."""
        network = {
            "pixels": self.network.pixels,
            "hidden": [layer.out_features for layer in self.network.hidden],
        }
        state = {**self.looks._asdict(), **network, "calibration": self.calibration}
        (directory / STATE).write_text(json.dumps(state) + "\n")
        save_weights(self.network, directory / WEIGHTS)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        path = directory / STATE
        try:
            state = json.loads(path.read_text())
            looks = Looks(*(state[name] for name in Looks._fields))
            calibration = Calibration(*map(float, state["calibration"]))
            network = _blank(looks, state["pixels"], state["hidden"])
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as e:
            raise CorruptFileError(f"state of the discriminator {path} cannot be read ({e})") from e
        load_weights(network, directory / WEIGHTS)
        return cls(looks, network, calibration)


class Discriminator(Verifier, frozen=True):
    """Scores an image by the probability that it is real rather than drawn from the generator.

    Each fit trains a fresh network on the real images against as many of the current generator, drawn
    for the real images' labels (arXiv 2510.16657, section 5). It sees pixels/levels and the one-hot label.

    The targets are smoothed to s and 1 - s, so the score of an optimal network is
    s + (1 - 2s) p(real), which lies in [s, 1 - s]; and a trained network is more sure than it may be. To rank
    samples that is enough. Where a score has to be p(real) itself, set ``calibration``.

    Attributes:
        refit: ``each_round`` trains anew on each round's generator; ``once`` trains in the first round, and
            that judge stays.
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
        levels: A pixel counts 0..levels; None for as the data say.
        classes: Number of labels; None for as the data say.
        image: The column of images; None for the data's own.
        label: The column of labels; None for the data's own.
    """

    judge_type: ClassVar[type[Judge]] = DiscriminatorJudge
    renamed: ClassVar[Mapping[str, str]] = {"mode": "use refit: each_round for per_round, once for fixed"}

    refit: Literal["each_round", "once"] = "each_round"
    real_images: Annotated[int, Field(ge=1)] | None = None
    hidden: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (512, 256, 128, 64)
    epochs: Annotated[int, Field(ge=1)] = 20
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
    calibration: Annotated[float, Field(gt=0, lt=1)] | None = None
    levels: Annotated[int, Field(ge=1, le=255)] | None = None
    classes: Annotated[int, Field(ge=1)] | None = None
    image: str | None = None
    label: str | None = None

    @property
    @override
    def calibrated(self) -> bool:
        """Whether ``calibration`` is set; fitted once, it knows the ratio to the first generator only."""
        return self.calibration is not None and self.refit == "each_round"

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = "verifier 'discriminator'"
        image = schema.pick(me, "image", self.image, "image")
        label = schema.pick(me, "label", self.label, "label")
        if schema[image].channels != 1:
            raise ConfigError(f"{me}: column {image!r}", got=f"{schema[image].channels} channels", expected=1)
        filled = {
            "image": image,
            "label": label,
            "levels": agreed(me, "levels", self.levels, schema[image].levels, image),
            "classes": agreed(me, "classes", self.classes, schema[label].classes, label),
        }
        return super().suited_to(schema).model_copy(update=filled)

    @override
    def fit(
        self, previous: Judge | None, generator: Generator, real: Samples, rng: np.random.Generator
    ) -> Judge:
        """Train against ``generator``; with ``refit: once`` only where there is no judge yet.

        Raises:
            ConfigError: ``levels`` or ``classes`` is open still.
            DataError: The real or the generated samples are no images of ``levels`` and ``classes``, or there
                are too few to set some aside.
        """
        if self.refit == "once" and previous is not None:
            return previous
        looks = self._looks()
        real = self._seen(real, looks)
        generated = generator.sample(len(real), rng, real.only([looks.label]))
        (real_pixels, label), (made_pixels, _) = looks.at(real), looks.at(generated)
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
            _blank(looks, real_pixels.shape[1], self.hidden),
            torch.cat([real_pixels[train], made_pixels[train]]),
            label[train].repeat(2),
            target,
            torch_generator(rng, str(label.device)),
        )
        if not len(held_out):
            return DiscriminatorJudge(looks, network, Calibration())
        logits = [_logits(network, p[held_out], label[held_out]) for p in (real_pixels, made_pixels)]
        return DiscriminatorJudge(looks, network, calibrate(*logits))

    def _looks(self) -> Looks:
        if self.levels is None or self.classes is None:
            open_ = "levels" if self.levels is None else "classes"
            raise ConfigError(
                f"verifier 'discriminator': {open_} is open",
                expected="a number, or data that say it",
                fix=f"set {open_}, or call suited_to(dataset.schema()) first",
            )
        return Looks(self.image or "pixels", self.label or "label", self.levels, self.classes)

    def _seen(self, real: Samples, looks: Looks) -> Samples:
        """The real images that this verifier may see: the same draw in every round."""
        if self.real_images is None:
            return real
        label = labels(real, looks.classes, looks.label)
        order = balanced_order(label, Address(seed=0, arm="discriminator").rng())
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

    def _trained(
        self, network: Network, pixels: Tensor, label: Tensor, target: Tensor, generator: torch.Generator
    ) -> Network:
        network = network.to(pixels.device)
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


def _blank(looks: Looks, pixels: int, hidden: Sequence[int]) -> Network:
    return blank(lambda: Network(pixels, looks.levels, looks.classes, hidden))


def _logits(network: Network, pixels: Tensor, label: Tensor) -> NDArray[np.float64]:
    return torch.cat(list(in_batches(network, pixels, label))).cpu().double().numpy()
