"""A plan for a folder of pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..datasets.image_folder import ImageFolder
from ..datasets.pictures import LARGEST
from ..errors import DataError
from ..schema import Image
from .base import LOOP, Written, balanced, heading, quoted

FEW = 40
"""Number of held-out pictures below which results are rough, and all are used for the report."""

MOST = 5_000
"""Largest number of training pictures in the first run, to keep it short."""

KNOWN = 50
"""Number of training pictures per class from which a classifier can be trained."""


class Amounts(NamedTuple):
    """Numbers of pictures.

    Attributes:
        train: Number of training pictures.
        test: Number of held-out pictures for measuring.
        classes: Number of classes.
    """

    train: int
    test: int
    classes: int


def plan_for_images(path: Path, plan: Path) -> Written:
    """Return the plan for the folder ``path``.

    Raises:
        DataError: The folder contains no usable pictures.
    """
    folder, size = _usable(path)
    pictures = folder.pictures()
    names = folder.names() or ["all"]
    count = np.bincount(pictures["train"].label, minlength=len(names))
    image: Image = folder.schema()["pixels"]
    n, own_test = int(count.sum()), pictures.get("test")
    few = own_test is None and n < 2.5 * FEW
    held = max(2, n // 4) if few else round(0.2 * n)
    test = len(own_test.label) // 2 if own_test is not None else held if few else held // 2
    amounts = Amounts(n if own_test is not None else n - held, test, len(names))
    colour = "in colour" if image.channels == 3 else "grey"
    found = ", ".join(f"{name} ({k})" for name, k in list(zip(names, count.tolist(), strict=True))[:8])
    more = ", ..." if len(names) > 8 else ""
    lines = [
        heading("Retrain a small image model on its own samples, with and without a verifier.",
                f"veriloop init images --path {quoted(path)}", plan),
        "dataset:",
        "  kind: images",
        f"  path: {quoted(path)}",
        f"  # Found: {image.height}x{image.width}, {colour}; {found}{more}",
    ]  # fmt: skip
    if size is not None:
        lines.append(f"  size: {size}   # pictures are cropped to their centre and resized to this")
    if few:
        lines.append(f"  held_out: {held}   # never trained on; the others are")
        lines.append("  validation: 0   # so few pictures are all needed for the report")
    if amounts.train > MOST:
        lines.append(f"  train: {MOST}   # remove this to use all {amounts.train:,}")
    lines.append(f"  start: {_start(amounts)}   # of the training pictures, for the start model")
    lines += ["", *learner_and_metrics(image, amounts), loop(amounts, image)]
    notes = []
    if amounts.test < FEW:
        notes.append(
            f"only {amounts.test} pictures are held out to measure with: numbers will be rough."
            f" {FEW} or more would be better"
        )
    return Written("\n".join(lines), tuple(notes))


def _usable(path: Path) -> tuple[ImageFolder, int | None]:
    """Return the folder, and the size to which its pictures must be resized; None if they need not be."""
    folder = ImageFolder(path=path)
    try:
        folder.schema()
    except DataError:
        if not any(len(p.label) for p in folder.pictures().values()):
            raise
        heads = [p.head(i) for p in folder.pictures().values() for i in range(len(p.label))]
        size = min([LARGEST, *(min(h.height, h.width) for h in heads)])
        sized = ImageFolder(path=path, size=size)
        sized.schema()  # raises on faults other than sizes
        return sized, size
    return folder, None


def _start(amounts: Amounts) -> str:
    return "0.5" if amounts.train < 200 else "0.1"


def learner_and_metrics(image: Image, amounts: Amounts) -> Sequence[str]:
    """Return the lines of the learner and the metrics, for images of this form."""
    steps = int(np.clip(600 * 1_024 / (image.height * image.width), 200, 600))
    k = max(1, min(5, amounts.test - 1))
    lines = [
        "# A convolutional variational autoencoder.",
        "learner:",
        "  kind: cvae",
        "  latent_dim: 16",
        "  channels: [16, 32]",
        "  epochs: 10",
        f"  min_steps: {steps}",
        "  batch_size: 64",
        "  learning_rate: 0.003",
        "  averaging: 0.2",
        "  patience: null",
        "",
        "# Quality: frechet and precision. Diversity: recall and coverage. Images use a fixed random",
        "# network unless a bundled classifier suits them.",
        f"metrics: [frechet, {{kind: prdc, k: {k}}}, nelbo]",
    ]
    if amounts.classes > 1 and amounts.train >= KNOWN * amounts.classes:
        lines += [
            "# A classifier of these classes is more precise. Train it once, and replace the line above by:",
            "#   veriloop train-classifier THIS_FILE --out own.safetensors",
            "# metrics:",
            "#   - {kind: frechet, classifier: own.safetensors}",
            f"#   - {{kind: prdc, k: {k}, classifier: own.safetensors}}",
            "#   - {kind: accuracy, classifier: own.safetensors}",
            "#   - nelbo",
        ]
    return [*lines, ""]


def loop(amounts: Amounts, image: Image, label: str = "label") -> str:
    """Return the lines of the loop."""
    large = image.height * image.width > 1_600
    kept = max(300, 20 * amounts.classes) if large else max(500, 30 * amounts.classes)
    balance = balanced(label) if amounts.classes > 1 else ""
    return LOOP.format(rounds=3, fraction=0.1, kept=kept, epochs=10, balance=balance, evaluated=500)
