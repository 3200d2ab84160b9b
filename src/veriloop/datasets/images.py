"""Labelled images as samples: which columns they have, and how they are drawn and balanced.

Image samples have a column of uint8 counts 0..levels of shape (n, height, width), ours call it ``pixels``,
and one of int64 class indices of shape (n,), ``label``. With ``levels=1`` a pixel is a bit.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..samples import Samples


def images(
    samples: Samples, levels: int, classes: int, column: str = "pixels", label: str = "label"
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The checked columns of image samples: pixels (n, height, width) and labels (n,).

    Args:
        samples: With the columns ``column`` and ``label``.
        levels: The greatest count.
        classes: How many labels there are.
        column: Of the images.
        label: Of the labels.

    Raises:
        DataError: A column is missing or of another kind, a count is above ``levels``, or a label is
            not below ``classes``.
    """
    pixels = samples.array(column)
    if pixels.dtype != np.uint8 or pixels.ndim != 3:
        raise DataError(
            f"column {column!r}",
            got=f"array of {pixels.dtype} with shape {pixels.shape}",
            expected="uint8 counts of shape (n, height, width)",
        )
    if pixels.size and pixels.max() > levels:
        raise DataError(
            f"column {column!r} counts too far",
            got=int(pixels.max()),
            expected=f"counts up to levels={levels}",
            fix="set levels to the data's: 1 for binarised images, 16 for digits",
        )
    return pixels, labels(samples, classes, label)


def labels(samples: Samples, classes: int, column: str = "label") -> NDArray[np.int64]:
    """The checked column of labels, shape (n,), values 0..classes-1.

    Raises:
        DataError: The column is missing, not of whole numbers, or a label is out of range.
    """
    label = samples.array(column)
    if label.dtype.kind not in "iu" or label.ndim != 1:
        raise DataError(
            f"column {column!r}",
            got=f"array of {label.dtype} with shape {label.shape}",
            expected="whole numbers of shape (n,)",
        )
    if label.size and not (label.min() >= 0 and label.max() < classes):
        raise DataError(
            f"column {column!r} is out of range",
            got=f"{label.min()}..{label.max()}",
            expected=f"0..{classes - 1} (classes={classes})",
        )
    return label.astype(np.int64)


def balanced_order(label: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
    """A random order of the rows in which every prefix holds the classes as evenly as possible.

    A class that has run out leaves its places to the others.

    Args:
        label: Class of each row, shape (n,).
        rng: Source of the order.

    Returns:
        Row indices, shape (n,): one row of each class in random order, then a second one, and so on.
    """
    shuffled = rng.permutation(len(label))
    by_class = np.argsort(label[shuffled], kind="stable")
    grouped = label[shuffled][by_class]
    turn = np.empty(len(label), np.int64)
    turn[by_class] = np.arange(len(label)) - np.searchsorted(grouped, grouped)
    return shuffled[np.argsort(turn, kind="stable")]
