"""Train an image classifier whose features the metrics use.

It uses the real training split only, never a held-out image. Grey images that the data set makes binary are
redrawn in every epoch, so that the classifier sees more variants. Deterministic on one type of machine.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..datasets.base import RealData
from ..datasets.images import images
from ..errors import DataError
from ..networks import blank, device, freeze, in_batches, initialise, one_cycle, save_weights
from ..rng import Address, Stage, torch_generator
from ..samples import Samples
from ..schema import Schema
from .classifiers import Card
from .features import FEATURES, Classifier, pools_of

CHANNELS = (16, 32, 48)
STEPS = 2_400
"""Default number of training steps, over all epochs."""

BATCH = 128
PEAK_RATE = 3e-3
DROPOUT = 0.25

OnEpoch = Callable[[int, int, float], None]
"""Called after each epoch with its number, the number of epochs, and the mean loss."""


@dataclass(frozen=True)
class LabelledImages:
    """Images to train and test a classifier.

    Attributes:
        pixels: Training images, uint8.
        label: Classes of the training images.
        test_pixels: Held-out images.
        test_label: Classes of the held-out images.
        classes: Number of classes.
        levels: Largest pixel value.
        bits: Whether ``pixels`` are grey values 0..255 from which the data set draws bits.
    """

    pixels: NDArray[np.uint8]
    label: NDArray[np.int64]
    test_pixels: NDArray[np.uint8]
    test_label: NDArray[np.int64]
    classes: int
    levels: int
    bits: bool = False

    @classmethod
    def of(cls, data: RealData, schema: Schema, grey: NDArray[np.uint8] | None = None) -> "LabelledImages":
        """Return the training images of ``data``, and all held-out ones to test on.

        Args:
            data: Real data.
            schema: Schema of the data.
            grey: Training images as published, if the data set draws bits from them.

        Raises:
            ConfigError: There is no column of images or of labels, or there are several.
            DataError: There are fewer than two classes.
        """
        asked_by = "train-classifier"
        names = schema.one("image", asked_by), schema.one("label", asked_by)
        levels, classes = schema[names[0]].levels, schema[names[1]].classes
        if classes < 2:
            raise DataError(
                "images of one class",
                got=f"classes={classes}",
                expected="at least two classes",
                fix="sort them into sub-folders by class, or use the metrics' classifier: random",
            )

        def both(samples: Samples) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
            """Return the pixels, shape (n, *image shape), and the labels, shape (n,)."""
            return images(samples, levels, classes, *names)

        pixels, label = both(data.train)
        held = [s for s in (data.test, data.validation) if s is not None and len(s)]
        test = [both(samples) for samples in held]
        return cls(
            pixels if grey is None else grey,
            label,
            np.concatenate([p for p, _ in test]),
            np.concatenate([c for _, c in test]),
            classes,
            levels,
            bits=grey is not None,
        )


def train_classifier(
    data: LabelledImages,
    out: Path,
    *,
    command: str,
    seed: int = 0,
    epochs: int | None = None,
    channels: tuple[int, int, int] = CHANNELS,
    on_epoch: OnEpoch = lambda *_: None,
) -> Card:
    """Train a classifier and write its weights, with its card next to them.

    Args:
        data: Images and their classes.
        out: Path of the weights file, ending in ``.safetensors``.
        command: Command that repeats the training, for the card.
        seed: Seed of all random numbers.
        epochs: Number of passes over the images; None for about `STEPS` steps, and at least eight passes.
        channels: Numbers of feature maps of the three convolutions.
        on_epoch: Function called after each epoch.

    Returns:
        The card, with the accuracies on training and on held-out images.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on how threads divide them
    try:
        steps = math.ceil(len(data.pixels) / BATCH)
        epochs = epochs or max(8, math.ceil(STEPS / steps))
        height, width, *colour = data.pixels.shape[1:]
        shape = {
            "height": height,
            "width": width,
            "levels": data.levels,
            "classes": data.classes,
            "channels": channels,
            "pools": pools_of(height, width),
            "features": FEATURES,
            "image_channels": colour[0] if colour else 1,
        }
        classifier = blank(lambda: Classifier(**shape))
        _train(classifier, data, epochs, seed, on_epoch)
        save_weights(classifier, out)
        card = Card(
            **shape,
            command=f"{command} --seed {seed} --epochs {epochs}",
            seed=seed,
            train_images=len(data.pixels),
            test_images=len(data.test_pixels),
            train_accuracy=_accuracy(classifier, _as_tested(data, seed), torch.tensor(data.label)),
            test_accuracy=_accuracy(
                classifier, torch.tensor(data.test_pixels), torch.tensor(data.test_label)
            ),
            sha256=hashlib.sha256(out.read_bytes()).hexdigest(),
        )
    finally:
        torch.set_num_threads(threads)
    out.with_suffix(".json").write_text(card.model_dump_json(indent=2) + "\n")
    return card


def _train(classifier: Classifier, data: LabelledImages, epochs: int, seed: int, on_epoch: OnEpoch) -> None:
    """Train with Adam, a linear rise and cosine fall of the rate, and dropout before the last layer."""
    generator = torch_generator(Address(seed, "classifier").at(Stage.FIT).rng())
    initialise(classifier, generator)
    where = device()
    classifier.to(where)
    pixels, label = torch.tensor(data.pixels), torch.tensor(data.label)
    optimizer = torch.optim.Adam(classifier.parameters(), PEAK_RATE, fused=True)
    steps, step = epochs * math.ceil(len(pixels) / BATCH), 0
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(pixels), generator=generator).split(BATCH):
            step += 1
            optimizer.param_groups[0]["lr"] = PEAK_RATE * one_cycle(step / steps, 0.1)
            counts = pixels[rows].float()
            if data.bits:
                counts = (torch.rand(counts.shape, generator=generator) * 255 < counts).float()
            kept = torch.empty(len(rows), FEATURES).bernoulli_(1 - DROPOUT, generator=generator)
            features = classifier.features(counts.to(where)) * (kept / (1 - DROPOUT)).to(where)
            loss = F.cross_entropy(classifier.last(features), label[rows].to(where))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        on_epoch(epoch + 1, epochs, total / len(pixels))
    freeze(classifier)


def _accuracy(classifier: Classifier, pixels: Tensor, label: Tensor) -> float:
    logits = torch.cat(list(in_batches(classifier, pixels)))
    return round(float((logits.argmax(1) == label).double().mean()), 4)


def _as_tested(data: LabelledImages, seed: int) -> Tensor:
    """Return training images in the form of the test images: for grey ones, one binary draw of each."""
    pixels = torch.tensor(data.pixels)
    if not data.bits:
        return pixels
    generator = torch_generator(Address(seed, "classifier").at(Stage.EVALUATE).rng())
    return (torch.rand(pixels.shape, generator=generator) * 255 < pixels).to(torch.uint8)
