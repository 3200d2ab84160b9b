"""Train the small classifier in whose features the metrics measure, and write its weights and card.

    python tools/train_classifier.py digits
    python tools/train_classifier.py mnist
    python tools/train_classifier.py fashion-mnist

It sees the real training split only, never a held-out image. Grey images are binarised anew in every
epoch, which is how it gets to see more images than there are. Deterministic on one machine type.
"""

import argparse
import hashlib
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from veriloop.datasets.digits import Digits
from veriloop.datasets.idx import MNIST, FashionMNIST, GreyImages
from veriloop.metrics.classifiers import WEIGHTS, Card
from veriloop.metrics.features import Classifier
from veriloop.networks import blank, freeze, in_batches, initialise, save_weights
from veriloop.rng import Address, Stage, torch_generator
from veriloop.samples import Samples

SHAPES: dict[str, dict[str, Any]] = {
    "digits": {"height": 8, "width": 8, "levels": 16, "channels": (24, 48, 48), "pools": (1, 2, 2)},
    "mnist": {"height": 28, "width": 28, "levels": 1, "channels": (16, 32, 48), "pools": (2, 2, 2)},
    "fashion-mnist": {"height": 28, "width": 28, "levels": 1, "channels": (16, 32, 48), "pools": (2, 2, 2)},
}
EPOCHS = {"digits": 60, "mnist": 8, "fashion-mnist": 8}
FEATURES = 64
BATCH = 128
PEAK_RATE = 3e-3
DROPOUT = 0.25


@dataclass(frozen=True)
class Data:
    """Training and test images; ``grey`` are the training images before binarisation, if they had one."""

    train: Samples
    test: Samples
    grey: NDArray[np.uint8] | None


def load(name: str) -> Data:
    if name == "digits":
        real = Digits(start=1).load(seed=0)
        return Data(real.train, real.test, None)
    source: GreyImages = {"mnist": MNIST, "fashion-mnist": FashionMNIST}[name](start=1)
    real = source.load(seed=0)
    (grey, label), _ = source.grey()
    return Data(Samples(pixels=grey, label=label.astype(np.int64)), real.test, grey)


def train(classifier: Classifier, data: Data, epochs: int, seed: int) -> None:
    """Adam with one linear rise and a cosine fall of the learning rate; dropout before the last layer."""
    generator = torch_generator(Address(seed, "classifier").at(Stage.FIT).rng())
    initialise(classifier, generator)
    pixels, label = torch.tensor(data.train.array("pixels")), torch.tensor(data.train.array("label"))
    optimizer = torch.optim.Adam(classifier.parameters(), PEAK_RATE, fused=True)
    steps, step = epochs * math.ceil(len(pixels) / BATCH), 0
    for epoch in range(epochs):
        total, begun = 0.0, time.perf_counter()
        for rows in torch.randperm(len(pixels), generator=generator).split(BATCH):
            step += 1
            progress = step / steps
            rate = PEAK_RATE * min(1.0, progress / 0.1) * (1 + math.cos(math.pi * progress)) / 2
            optimizer.param_groups[0]["lr"] = rate
            counts = pixels[rows].float()
            if data.grey is not None:
                counts = (torch.rand(counts.shape, generator=generator) * 255 < counts).float()
            features = classifier.features(counts)
            kept = torch.empty_like(features).bernoulli_(1 - DROPOUT, generator=generator) / (1 - DROPOUT)
            loss = F.cross_entropy(classifier.last(features * kept), label[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        took = time.perf_counter() - begun
        print(f"epoch {epoch + 1}/{epochs}: loss {total / len(pixels):.4f}, {took:.1f} s", file=sys.stderr)
    freeze(classifier)


def accuracy(classifier: Classifier, pixels: Tensor, label: Tensor) -> float:
    logits = torch.cat(list(in_batches(classifier, pixels)))
    return round(float((logits.argmax(1) == label).double().mean()), 4)


def binarised(data: Data, seed: int) -> Tensor:
    """Training images as the classifier's test sees them: one binary draw of each."""
    pixels = torch.tensor(data.train.array("pixels"))
    if data.grey is None:
        return pixels
    generator = torch_generator(Address(seed, "classifier").at(Stage.EVALUATE).rng())
    return (torch.rand(pixels.shape, generator=generator) * 255 < pixels).to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dataset", choices=sorted(SHAPES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, help="default: " + str(EPOCHS))
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="folder (default: where they are shipped)")
    options = parser.parse_args()
    epochs = options.epochs or EPOCHS[options.dataset]

    torch.set_num_threads(1)  # sums depend on how they are split over threads
    data = load(options.dataset)
    shape = {**SHAPES[options.dataset], "classes": 10, "features": FEATURES}
    classifier = blank(lambda: Classifier(**shape))
    train(classifier, data, epochs, options.seed)

    path = options.out / f"{options.dataset}.safetensors"
    save_weights(classifier, path)
    card = Card(
        **shape,
        command=f"python tools/train_classifier.py {options.dataset} --seed {options.seed} --epochs {epochs}",
        seed=options.seed,
        train_images=len(data.train),
        test_images=len(data.test),
        train_accuracy=accuracy(
            classifier, binarised(data, options.seed), torch.tensor(data.train.array("label"))
        ),
        test_accuracy=accuracy(
            classifier, torch.tensor(data.test.array("pixels")), torch.tensor(data.test.array("label"))
        ),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    path.with_suffix(".json").write_text(card.model_dump_json(indent=2) + "\n")
    print(f"{path}: {path.stat().st_size:,} bytes, test accuracy {card.test_accuracy:.2%}")


if __name__ == "__main__":
    main()
