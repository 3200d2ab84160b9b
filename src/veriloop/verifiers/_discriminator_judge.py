"""The torch part of the discriminator: its network, training, and judge."""

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from typing_extensions import override

from ..advance import StepDone, report
from ..datasets.images import balanced_order, images, labels
from ..encoding import Encoding, TableColumns
from ..errors import CorruptFileError, DataError
from ..judge import Judge
from ..networks import blank, device, freeze, in_batches, initialise, load_weights, save_weights
from ..rng import torch_generator
from ..samples import Samples
from ..verdicts import Verdicts
from ._calibration import Calibration, calibrate

if TYPE_CHECKING:
    from .discriminator import Discriminator

WEIGHTS = "discriminator.safetensors"
STATE = "discriminator.json"


class Network(nn.Module):
    """Multi-layer perceptron on pixels, or on a row's vector, and the label; LeakyReLU(0.2), one logit.

    Args:
        pixels: Number of pixels.
        levels: Largest pixel value.
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
        """Return logits of "real", shape (n,).

        Args:
            pixels: Pixel values, shape (n, pixels).
            label: Class indices, shape (n,).
        """
        x = self._inputs(pixels, label)
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), 0.2)
        return self.last(x).squeeze(1)

    def training_logits(
        self, pixels: Tensor, label: Tensor, dropout: float, generator: torch.Generator
    ) -> Tensor:
        """Return logits like :meth:`forward`, with dropout and spectral normalisation of the last layer.

        The last weight has one row, so its spectral norm is the length of that row; no power iteration is
        needed.
        """
        x = self._inputs(pixels, label)
        for layer in self.hidden:
            x = F.leaky_relu(layer(x), 0.2)
            if dropout > 0:  # torch's own dropout draws from its global generator
                kept = torch.empty_like(x).bernoulli_(1 - dropout, generator=generator)
                x = x * kept / (1 - dropout)
        return F.linear(x, F.normalize(self.last.weight), self.last.bias).squeeze(1)

    def fold(self) -> None:
        """Apply the spectral normalisation to the last weight, once training is over."""
        with torch.no_grad():
            self.last.weight.copy_(F.normalize(self.last.weight))

    def _inputs(self, pixels: Tensor, label: Tensor) -> Tensor:
        return torch.cat([pixels / self.levels, F.one_hot(label, self.classes)], 1)


class Looks(NamedTuple):
    """How a discriminator reads image samples.

    Attributes:
        image: Name of the image column.
        label: Name of the label column.
        levels: Largest pixel value.
        classes: Number of labels.
    """

    image: str
    label: str
    levels: int
    classes: int

    def at(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return pixels, shape (n, pixels), and labels, shape (n,), on the device.

        Raises:
            DataError: The samples are not images of this kind.
        """
        pixels, label = images(samples, self.levels, self.classes, self.image, self.label)
        # torch.tensor copies, because columns of samples are read-only, which tensors cannot be.
        return torch.tensor(pixels, device=device()).flatten(1), torch.from_numpy(label).to(device())

    def dump(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return self._asdict()


class TableLooks(NamedTuple):
    """How a discriminator reads table rows: as vectors, see `veriloop.encoding`.

    Attributes:
        encoding: Encoding of numbers and categories.
        label: Name of the class column; None if there is none.
        classes: Number of classes; 1 if there are none.
    """

    encoding: Encoding
    label: str | None
    classes: int

    @property
    def levels(self) -> int:
        """Scale of the inputs; vectors are used unchanged."""
        return 1

    @classmethod
    def at_rows(cls, real: Samples, columns: TableColumns) -> Self:
        """Set up for rows like ``real``."""
        encoding = Encoding.learned(real, columns.numbers, columns.categories)
        classes = int(columns.stratum(real).max(initial=0)) + 1
        return cls(encoding, columns.label, classes)

    def at(self, samples: Samples) -> tuple[Tensor, Tensor]:
        """Return vectors, shape (n, entries), and labels, shape (n,), on the device.

        Raises:
            DataError: The samples are not rows of this kind.
        """
        rows = torch.from_numpy(self.encoding.encode(samples)).float().to(device())
        n = len(samples)
        label = np.zeros(n, np.int64) if self.label is None else labels(samples, self.classes, self.label)
        return rows, torch.from_numpy(label).to(device())

    def dump(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"table": self.encoding.dump(), "label": self.label, "classes": self.classes}


class DiscriminatorJudge(Judge):
    """A trained `Discriminator`.

    Args:
        looks: How it reads samples.
        network: Trained and frozen network.
        calibration: Map from the network's logits to scores.
    """

    def __init__(self, looks: Looks | TableLooks, network: Network, calibration: Calibration) -> None:
        self.looks, self.network, self.calibration = looks, network, calibration

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Score each sample with its probability of being real; the decision is left open.

        Raises:
            DataError: The samples are of another kind than those it was trained on.
        """
        pixels, label = self.looks.at(samples)
        if pixels.shape[1] != self.network.pixels:
            raise DataError(
                "images differ in size from the discriminator's",
                got=f"{pixels.shape[1]} pixels",
                expected=f"{self.network.pixels} pixels",
            )
        # In float64 a score stays below 1 for logits up to 36, so D/(1-D) stays finite.
        return Verdicts(self.calibration(_logits(self.network, pixels, label)))

    @override
    def save(self, directory: Path) -> None:
        """Write ``discriminator.json`` and ``discriminator.safetensors``."""
        network = {
            "pixels": self.network.pixels,
            "hidden": [layer.out_features for layer in self.network.hidden],
        }
        state = {**self.looks.dump(), **network, "calibration": self.calibration}
        (directory / STATE).write_text(json.dumps(state) + "\n")
        save_weights(self.network, directory / WEIGHTS)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        path = directory / STATE
        try:
            state = json.loads(path.read_text())
            looks = _looks_of(state)
            calibration = Calibration(*map(float, state["calibration"]))
            network = _blank(looks, state["pixels"], state["hidden"])
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as e:
            raise CorruptFileError(f"state of the discriminator {path} cannot be read ({e})") from e
        load_weights(network, directory / WEIGHTS)
        return cls(looks, network, calibration)


def trained(
    verifier: "Discriminator",
    looks: Looks | TableLooks,
    real: Samples,
    generated: Samples,
    rng: np.random.Generator,
) -> DiscriminatorJudge:
    """Train a network to distinguish ``real`` from ``generated``, equally many images with the same labels.

    Raises:
        DataError: They are not images of the kind in ``looks``, or there are too few to set some aside.
    """
    (real_pixels, label), (made_pixels, _) = looks.at(real), looks.at(generated)
    if real_pixels.shape != made_pixels.shape:
        raise DataError(
            "generated images differ in size from the real ones",
            got=f"{made_pixels.shape[1]} pixels",
            expected=f"{real_pixels.shape[1]} pixels",
        )
    train, held_out = set_aside(label, verifier.calibration, rng)
    target = torch.full((2 * len(train),), verifier.label_smoothing, device=label.device)
    target[: len(train)] = 1 - verifier.label_smoothing
    network = _fitted(
        verifier,
        _blank(looks, real_pixels.shape[1], verifier.hidden),
        torch.cat([real_pixels[train], made_pixels[train]]),
        label[train].repeat(2),
        target,
        torch_generator(rng, str(label.device)),
    )
    if not len(held_out):
        return DiscriminatorJudge(looks, network, Calibration())
    logits = [_logits(network, p[held_out], label[held_out]) for p in (real_pixels, made_pixels)]
    return DiscriminatorJudge(looks, network, calibrate(*logits))


def set_aside(label: Tensor, share: float | None, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return the rows for training, and a share set aside for calibration, balanced over the classes."""
    n = len(label)
    if share is None:
        return torch.arange(n, device=label.device), torch.arange(0)
    aside = max(1, round(share * n))
    if aside >= n:
        raise DataError("real images to train on and to calibrate with", got=n, expected="at least 2")
    order = torch.from_numpy(balanced_order(label.cpu().numpy(), rng)).to(label.device)
    return order[aside:], order[:aside]


def _fitted(
    verifier: "Discriminator",
    network: Network,
    pixels: Tensor,
    label: Tensor,
    target: Tensor,
    generator: torch.Generator,
) -> Network:
    network = network.to(pixels.device)
    initialise(network, generator)
    optimizer = torch.optim.Adam(network.parameters(), verifier.learning_rate, fused=True)
    batches = math.ceil(len(pixels) / verifier.batch_size)
    for epoch in range(verifier.epochs):
        report(StepDone(epoch * batches, verifier.epochs * batches))
        order = torch.randperm(len(pixels), generator=generator, device=pixels.device)
        for rows in order.split(verifier.batch_size):
            logits = network.training_logits(pixels[rows], label[rows], verifier.dropout, generator)
            loss = F.binary_cross_entropy_with_logits(logits, target[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.fold()
    freeze(network)
    return network


def _looks_of(state: dict[str, Any]) -> Looks | TableLooks:
    if "table" in state:
        return TableLooks(Encoding.of_dump(state["table"]), state["label"], state["classes"])
    return Looks(*(state[name] for name in Looks._fields))


def _blank(looks: Looks | TableLooks, pixels: int, hidden: Sequence[int]) -> Network:
    return blank(lambda: Network(pixels, looks.levels, looks.classes, hidden))


def _logits(network: Network, pixels: Tensor, label: Tensor) -> NDArray[np.float64]:
    return torch.cat(list(in_batches(network, pixels, label))).cpu().double().numpy()
