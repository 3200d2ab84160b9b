"""A small image classifier of our own, whose last hidden layer is the feature space of the metrics.

Its weights are shipped, one safetensors file and one card (JSON: architecture, training command, seed,
accuracies) per data set; ``tools/train_classifier.py`` makes both. It has seen real training images only.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict
from torch import Tensor, nn
from typing_extensions import override

from ..datasets.images import images
from ..errors import ConfigError, CorruptFileError, DataError
from ..networks import blank, in_batches, load_weights
from ..parts import did_you_mean
from ..samples import Samples
from ..schema import Role, Schema
from .base import Evaluation, Metric

WEIGHTS = Path(__file__).parent / "weights"
SHIPPED = ("digits", "mnist", "fashion-mnist")
AUTO = "auto"
MAKE = "restore both files, or make them anew with tools/train_classifier.py"
FAMILIAR = 0.6
"""A classifier that labels fewer of the real images right than this does not know them."""


class Card(BaseModel):
    """What stands beside a classifier's weights: its architecture, and where it comes from.

    Attributes:
        height: Pixels.
        width: Pixels.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
        channels: Feature maps of the three convolutions.
        pools: Side of the max-pooling after each convolution; 1 for none.
        features: Width of the last hidden layer.
        command: How it was trained.
        seed: Of the training.
        train_images: How many real images it was trained on.
        test_images: How many it was tested on.
        train_accuracy: Share of them that it labels right.
        test_accuracy: Share of them that it labels right.
        sha256: Of the weights file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: int
    width: int
    levels: int
    classes: int
    channels: tuple[int, int, int]
    pools: tuple[int, int, int]
    features: int
    command: str
    seed: int
    train_images: int
    test_images: int
    train_accuracy: float
    test_accuracy: float
    sha256: str


class Classifier(nn.Module):
    """Three 3x3 convolutions, each with ReLU and maybe max-pooling, one hidden layer, logits.

    Args:
        height: Pixels.
        width: Pixels.
        levels: A pixel counts 0..levels.
        classes: Number of labels.
        channels: Feature maps of the three convolutions.
        pools: Side of the max-pooling after each; 1 for none.
        features: Width of the hidden layer.
    """

    def __init__(
        self,
        height: int,
        width: int,
        levels: int,
        classes: int,
        channels: tuple[int, int, int],
        pools: tuple[int, int, int],
        features: int,
    ) -> None:
        super().__init__()
        self.levels, self.pools = levels, pools
        inputs = (1, *channels[:-1])
        self.convolutions = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(inputs, channels, strict=True)
        )
        for pool in pools:
            height, width = height // pool, width // pool
        self.hidden = nn.Linear(channels[-1] * height * width, features)
        self.last = nn.Linear(features, classes)

    def features(self, counts: Tensor) -> Tensor:
        """The hidden layer after its ReLU, shape (n, features), of counts of shape (n, height, width)."""
        x = (counts / self.levels).unsqueeze(1)
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            x = F.relu(convolution(x))
            if pool > 1:
                x = F.max_pool2d(x, pool)
        return F.relu(self.hidden(x.flatten(1)))

    def forward(self, counts: Tensor) -> Tensor:
        """Logits, shape (n, classes), of counts of shape (n, height, width)."""
        return self.last(self.features(counts))


def _known(name: str) -> str:
    names = (AUTO, *SHIPPED)
    if name not in names and not name.endswith(".safetensors"):
        raise ConfigError(
            "no such classifier",
            got=name,
            expected=f"one of {', '.join(names)}, or the path of a .safetensors file with its card beside it",
            fix=did_you_mean(name, names),
        )
    return name


ClassifierName = Annotated[str, AfterValidator(_known)]
"""``auto``, a shipped classifier's name, or the path of one's own weights with their card beside them.

``auto`` is the shipped classifier of the images' size that labels the held-out real images best, so that a
change of the data set needs no change of the metrics.
"""


def _files(name: str) -> tuple[Path, Path]:
    weights = WEIGHTS / f"{name}.safetensors" if name in SHIPPED else Path(name)
    return weights, weights.with_suffix(".json")


@cache
def load_card(name: str) -> Card:
    """A classifier's card.

    Raises:
        CorruptFileError: It is missing or damaged.
    """
    _, path = _files(name)
    try:
        return Card.model_validate_json(path.read_text())
    except (OSError, ValueError) as e:
        raise CorruptFileError(f"card {path} of a classifier cannot be read ({e})", fix=MAKE) from e


@cache
def load_classifier(name: str) -> Classifier:
    """A classifier, frozen.

    Raises:
        CorruptFileError: The weights or the card are missing, damaged, or do not belong together.
    """
    weights, card = _files(name)[0], load_card(name)
    try:
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as e:
        raise CorruptFileError(f"weights {weights} cannot be read ({e})", fix=MAKE) from e
    if found != card.sha256:
        raise CorruptFileError(
            f"weights {weights} are not those of their card",
            got=f"sha256 {found}",
            expected=card.sha256,
            fix=MAKE,
        )
    shape = card.model_dump(include=set(Classifier.__init__.__annotations__) - {"return"})
    classifier = blank(lambda: Classifier(**shape))
    load_weights(classifier, weights)
    return classifier


class ClassifierMetric(Metric, frozen=True):
    """A metric in the features of a classifier.

    Attributes:
        classifier: Which one, see :data:`ClassifierName`.
    """

    needs: ClassVar[tuple[Role, ...]] = ("image", "label")

    classifier: ClassifierName = AUTO

    @override
    def check_ahead(self, schema: Schema) -> None:
        asked_by = f"metric {self.kind!r}"
        image = schema[schema.one("image", asked_by)]
        classes = schema[schema.one("label", asked_by)].classes
        names = SHIPPED if self.classifier == AUTO else (self.classifier,)
        cards = [load_card(name) for name in names]
        if not any(
            (image.height, image.width, image.channels) == (card.height, card.width, 1)
            and image.levels <= card.levels
            and classes <= card.classes
            for card in cards
        ):
            known = dict.fromkeys(
                f"{c.height}x{c.width}, up to {c.levels}, {c.classes} labels" for c in cards
            )
            raise ConfigError(
                f"{asked_by}: classifier {self.classifier!r} does not know such images",
                got=f"{image.height}x{image.width}x{image.channels}, up to {image.levels}, {classes} labels",
                expected=f"grey images of {' or '.join(known)}",
                fix="name your own classifier (a .safetensors file), or leave out the metrics that need one",
            )


@dataclass(frozen=True)
class Seen:
    """What a classifier makes of n labelled images.

    Attributes:
        features: Last hidden layer, shape (n, features).
        predicted: The likeliest class, shape (n,).
        label: The given class, shape (n,).
    """

    features: NDArray[np.float64]
    predicted: NDArray[np.int64]
    label: NDArray[np.int64]


class Views(NamedTuple):
    """Both sides of an evaluation, as one classifier sees them."""

    generated: Seen
    real: Seen


def views(evaluation: Evaluation, name: str) -> Views:
    """What classifier ``name`` makes of generated and real samples, computed once for all metrics.

    Raises:
        DataError: They are no images of the size and levels that the classifier knows, or none of the
            shipped ones knows them.
    """
    if name == AUTO:
        name = evaluation.once("classifier", lambda: familiar_classifier(evaluation.real))
    return evaluation.once(
        ("views", name), lambda: Views(see(evaluation.generated, name), see(evaluation.real, name))
    )


def see(samples: Samples, name: str) -> Seen:
    """Classify ``samples`` with the classifier ``name``.

    Raises:
        DataError: They are no images of the size and levels that the classifier was trained on.
    """
    classifier, card = load_classifier(name), load_card(name)
    pixels, label = images(samples, card.levels, card.classes)
    if pixels.shape[1:] != (card.height, card.width):
        raise DataError(
            f"images of another size than classifier {name!r} knows",
            got=f"{pixels.shape[1]}x{pixels.shape[2]}",
            expected=f"{card.height}x{card.width}",
        )
    # torch.tensor copies: the columns of samples are read-only, which tensors cannot be.
    features = torch.cat(list(in_batches(classifier.features, torch.tensor(pixels))))
    predicted = torch.cat(list(in_batches(lambda x: classifier.last(x).argmax(1), features)))
    return Seen(features.double().numpy(), predicted.numpy(), label)


def familiar_classifier(real: Samples) -> str:
    """The shipped classifier that knows these images: it labels the first 500 of them best.

    Raises:
        DataError: None is of their size, or labels most of them right.
    """
    shape = real.array("pixels").shape[1:]
    some = real.select(slice(500))
    accuracies: dict[str, float] = {}
    for name in SHIPPED:
        card = load_card(name)
        if shape == (card.height, card.width) and some.array("pixels").max(initial=0) <= card.levels:
            look = see(some, name)
            accuracies[name] = float(np.mean(look.predicted == look.label)) if len(some) else 0.0
    best = max(accuracies, key=lambda name: accuracies[name], default=None)
    if best is None or accuracies[best] < FAMILIAR:
        raise DataError(
            "no shipped classifier knows these images",
            got=f"size {'x'.join(map(str, shape))}, accuracies {accuracies}",
            expected=f"images as of {', '.join(SHIPPED)}",
            fix="name your own classifier (a .safetensors file), or leave out the metrics that need one",
        )
    return best
