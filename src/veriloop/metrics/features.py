"""A small image classifier whose last hidden layer is the feature space of the metrics.

Its weights are one safetensors file and one card (JSON: architecture, training command, seed, accuracies) per
data set, some of them bundled; ``veriloop train-classifier`` creates both. It was trained on real training
images only. Images without a classifier use the same network with random weights, or principal components.
"""

import hashlib
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..datasets.images import LABEL, PIXELS, images
from ..errors import CorruptFileError, DataError
from ..networks import blank, freeze, in_batches, initialise, load_weights
from ..rng import Address, torch_generator
from ..samples import Samples
from ._seen import Seen, Views, unread
from .base import Evaluation
from .classifiers import AUTO, MAKE, PCA, RANDOM, SHIPPED, TRAIN, files, load_card

FEATURES = 64
"""Number of features for images without a classifier, as in the bundled classifiers."""

FAMILIAR = 0.6
"""Least accuracy on the real images for a classifier to be used for them."""


class Classifier(nn.Module):
    """Three 3x3 convolutions, each with ReLU and optional max-pooling, one hidden layer, logits.

    Args:
        height: Height of images in pixels.
        width: Width of images in pixels.
        levels: Largest pixel value.
        classes: Number of labels.
        channels: Numbers of feature maps of the three convolutions.
        pools: Side of the max-pooling after each; 1 for no pooling.
        features: Width of the hidden layer.
        image_channels: 1 for grey images, 3 for colour.
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
        image_channels: int = 1,
    ) -> None:
        super().__init__()
        self.levels: int = levels
        self.pools: tuple[int, int, int] = pools
        inputs = (image_channels, *channels[:-1])
        self.convolutions: nn.ModuleList = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1) for a, b in zip(inputs, channels, strict=True)
        )
        for pool in pools:
            height, width = height // pool, width // pool
        self.hidden: nn.Linear = nn.Linear(channels[-1] * height * width, features)
        self.last: nn.Linear = nn.Linear(features, classes)

    def features(self, counts: Tensor) -> Tensor:
        """Return the hidden layer after its ReLU, shape (n, features), for pixels (n, *image shape)."""
        shares = counts / self.levels
        x = shares.unsqueeze(1) if shares.dim() == 3 else shares.permute(0, 3, 1, 2)
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            x = F.relu(convolution(x))
            if pool > 1:
                x = F.max_pool2d(x, pool)
        return F.relu(self.hidden(x.flatten(1)))

    def forward(self, counts: Tensor) -> Tensor:
        """Return logits, shape (n, classes), for pixels of shape (n, *image shape)."""
        return self.last(self.features(counts))


@cache
def load_classifier(name: str) -> Classifier:
    """Load a frozen classifier.

    Raises:
        CorruptFileError: The weights or the card are missing, damaged, or do not match.
    """
    weights, card = files(name)[0], load_card(name)
    try:
        found = hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as e:
        raise CorruptFileError(f"weights {weights} cannot be read ({e})", fix=MAKE) from e
    if found != card.sha256:
        raise CorruptFileError(
            f"weights {weights} do not match their card",
            got=f"sha256 {found}",
            expected=card.sha256,
            fix=MAKE,
        )
    shape = card.model_dump(include=set(Classifier.__init__.__annotations__) - {"return"})
    classifier = blank(lambda: Classifier(**shape))
    load_weights(classifier, weights)
    return classifier


def views(evaluation: Evaluation, name: str, image: str = PIXELS, label: str = LABEL) -> Views:
    """Return generated and real samples as seen by classifier ``name``, computed once for all metrics.

    Args:
        evaluation: Model of a round.
        name: Name of the classifier.
        image: Name of the image column.
        label: Name of the label column.

    Raises:
        DataError: They are not images of the classifier's size and levels, or no bundled classifier suits
            them.
    """
    sides = [plainly_named(side, image, label) for side in (evaluation.generated, evaluation.real)]
    if name == AUTO:
        name = evaluation.once(("classifier", image, label), lambda: familiar_classifier(sides[1]))
    unlabelled = {RANDOM: of_random_network, PCA: of_principal_components}
    look = unlabelled.get(name) or (lambda *both: Views(*(see(side, name) for side in both)))
    return evaluation.once(("views", name, image, label), lambda: look(*sides))


def plainly_named(samples: Samples, image: str, label: str) -> Samples:
    """Return the images and labels of ``samples`` under the built-in column names."""
    return Samples(**{PIXELS: samples.array(image), LABEL: samples.array(label)})


def pools_of(height: int, width: int) -> tuple[int, int, int]:
    """Return the sides of the max-pooling after three convolutions that keep at least two pixels per side."""
    halvings = max(0, min(3, min(height, width).bit_length() - 2))
    return (*(1,) * (3 - halvings), *(2,) * halvings)  # pyright: ignore[reportReturnType]


@cache
def random_network(shape: tuple[int, ...], levels: int) -> Classifier:
    """Return an untrained classifier for images of this shape, whose random weights are always the same.

    The weights preserve the scale of the activations (K. He et al., ICCV 2015), and there are no biases.
    """
    height, width, *colour = shape
    channels = (16, 32, 48)
    network = blank(
        lambda: Classifier(
            height, width, levels, 1, channels, pools_of(height, width), FEATURES, *colour or (1,)
        )
    )
    initialise(network, torch_generator(Address(0, "random features").rng()))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            weight.mul_(0 if name.endswith("bias") else 6**0.5)
    freeze(network)
    return network


def of_random_network(generated: Samples, real: Samples) -> Views:
    """Return images in the hidden layer of `random_network`; the brightest real pixel counts as 1."""
    levels = max(1, int(real.array(PIXELS).max(initial=1)))
    network = random_network(real.array(PIXELS).shape[1:], levels)

    def seen(side: Samples) -> Seen:
        """Return the features and labels of ``side``; no classes are predicted."""
        pixels = torch.tensor(side.array(PIXELS))
        features = torch.cat(list(in_batches(lambda x: network.features(x.float()), pixels)))
        return unread(features.double().numpy(), side.array(LABEL).astype(np.int64))

    return Views(seen(generated), seen(real))


def of_principal_components(generated: Samples, real: Samples) -> Views:
    """Return images along the `FEATURES` directions in which the real ones vary most, in that order."""
    pixels = [side.array(PIXELS).reshape(len(side), -1).astype(np.float64) for side in (generated, real)]
    middle = pixels[1].mean(0)
    _, _, directions = np.linalg.svd(pixels[1] - middle, full_matrices=False)
    points = [(rows - middle) @ directions[:FEATURES].T for rows in pixels]
    made, true = (
        unread(p, side.array(LABEL).astype(np.int64))
        for p, side in zip(points, (generated, real), strict=True)
    )
    return Views(made, true)


def see(samples: Samples, name: str) -> Seen:
    """Classify ``samples`` with the classifier ``name``. Pixels of float32 are means, see `OfMeans`.

    Raises:
        DataError: They are not images of the size and levels that the classifier was trained on.
    """
    classifier, card = load_classifier(name), load_card(name)
    pixels = samples.array(PIXELS)
    if pixels.dtype == np.float32:
        samples = samples.with_columns(**{PIXELS: np.ceil(pixels).astype(np.uint8)})
    _, label = images(samples, card.levels, card.classes)
    if pixels.shape[1:] != card.image_shape:
        raise DataError(
            f"images differ in size from those of classifier {name!r}",
            got="x".join(map(str, pixels.shape[1:])),
            expected="x".join(map(str, card.image_shape)),
        )
    # torch.tensor copies, because columns of samples are read-only, which tensors cannot be.
    features = torch.cat(list(in_batches(classifier.features, torch.tensor(pixels))))
    predicted = torch.cat(list(in_batches(lambda x: classifier.last(x).argmax(1), features)))
    return Seen(features.double().numpy(), predicted.numpy(), label)


def familiar_classifier(real: Samples) -> str:
    """Return the bundled classifier for these images: the one that labels the first 500 of them best.

    Raises:
        DataError: No classifier has their size, or labels most of them correctly.
    """
    shape = real.array("pixels").shape[1:]
    some = real.select(slice(500))
    accuracies: dict[str, float] = {}
    for name in SHIPPED:
        card = load_card(name)
        if shape == card.image_shape and some.array("pixels").max(initial=0) <= card.levels:
            look = see(some, name)
            accuracies[name] = float(np.mean(look.predicted == look.label)) if len(some) else 0.0
    best = max(accuracies, key=lambda name: accuracies[name], default=None)
    if best is None or accuracies[best] < FAMILIAR:
        raise DataError(
            "no bundled classifier suits these images",
            got=f"size {'x'.join(map(str, shape))}, accuracies {accuracies}",
            expected=f"images like those of {', '.join(SHIPPED)}",
            fix=f"{TRAIN}; or use classifier: random",
        )
    return best
