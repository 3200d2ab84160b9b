"""A small image classifier of our own, whose last hidden layer is the feature space of the metrics.

Its weights are shipped, one safetensors file and one card (JSON: architecture, training command, seed,
accuracies) per data set; ``tools/train_classifier.py`` makes both. It has seen real training images only.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..datasets.images import LABEL, PIXELS, images
from ..errors import CorruptFileError, DataError
from ..networks import blank, in_batches, load_weights
from ..samples import Samples
from .base import Evaluation
from .classifiers import AUTO, MAKE, SHIPPED, files, load_card

FAMILIAR = 0.6
"""A classifier that labels fewer of the real images right than this does not know them."""


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


@cache
def load_classifier(name: str) -> Classifier:
    """A classifier, frozen.

    Raises:
        CorruptFileError: The weights or the card are missing, damaged, or do not belong together.
    """
    weights, card = files(name)[0], load_card(name)
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


def views(evaluation: Evaluation, name: str, image: str = PIXELS, label: str = LABEL) -> Views:
    """What classifier ``name`` makes of generated and real samples, computed once for all metrics.

    Args:
        evaluation: A round's model.
        name: Of the classifier.
        image: The column of the images.
        label: The column of their labels.

    Raises:
        DataError: They are no images of the size and levels that the classifier knows, or none of the
            shipped ones knows them.
    """
    if name == AUTO:
        key = ("classifier", image, label)
        name = evaluation.once(key, lambda: familiar_classifier(_of(evaluation.real, image, label)))
    return evaluation.once(
        ("views", name, image, label),
        lambda: Views(
            *(see(_of(side, image, label), name) for side in (evaluation.generated, evaluation.real))
        ),
    )


def _of(samples: Samples, image: str, label: str) -> Samples:
    """The images and labels of ``samples``, under the names that our own have."""
    return Samples(**{PIXELS: samples.array(image), LABEL: samples.array(label)})


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
