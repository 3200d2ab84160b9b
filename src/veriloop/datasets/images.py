"""Labelled images as samples: their columns, and how they are balanced and split.

Image samples have the columns ``pixels``, uint8 values 0..levels of shape (n, height, width), or (n, height,
width, channels) for colour, and ``label``, int64 class indices of shape (n,). With ``levels=1`` a pixel is
one bit.
"""

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..rng import Address
from ..samples import Samples
from .base import RealData, check_start
from .splits import Keys, apart, counted

PIXELS, LABEL = "pixels", "label"


def images(
    samples: Samples, levels: int, classes: int, image: str = PIXELS, label: str = LABEL
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the checked columns of image samples: pixels (n, height, width[, channels]) and labels (n,).

    Args:
        samples: Samples with both columns.
        levels: Largest pixel value.
        classes: Number of classes.
        image: Name of the image column.
        label: Name of the label column.

    Raises:
        DataError: A column is missing or of another kind, a pixel is above ``levels``, or a label is not
            below ``classes``.
    """
    pixels = samples.array(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (3, 4):
        raise DataError(
            f"column {image!r}",
            got=f"array of {pixels.dtype} with shape {pixels.shape}",
            expected="uint8 counts of shape (n, height, width), or (n, height, width, channels)",
        )
    if pixels.size and pixels.max() > levels:
        raise DataError(
            f"column {image!r} has pixel values that are too large",
            got=int(pixels.max()),
            expected=f"values up to levels={levels}",
            fix="leave levels out to use that of the data",
        )
    return pixels, labels(samples, classes, label)


def labels(samples: Samples, classes: int, name: str = LABEL) -> NDArray[np.int64]:
    """Return the checked column of labels, shape (n,), values 0..classes-1.

    Raises:
        DataError: The column is missing or not integer, or a label is out of range.
    """
    label = samples.array(name)
    if label.dtype.kind not in "iu" or label.ndim != 1:
        raise DataError(
            f"column {name!r}",
            got=f"array of {label.dtype} with shape {label.shape}",
            expected="whole numbers of shape (n,)",
        )
    if label.size and not (label.min() >= 0 and label.max() < classes):
        raise DataError(
            f"column {name!r} is out of range",
            got=f"{label.min()}..{label.max()}",
            expected=f"0..{classes - 1} (classes={classes})",
        )
    return label.astype(np.int64)


def balanced_order(label: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return a random row order in which every prefix holds the classes as evenly as possible.

    Once a class runs out, the other classes take its places.

    Args:
        label: Class of each row, shape (n,).
        rng: Source of randomness.

    Returns:
        Row indices, shape (n,): one row of each class in random order, then a second one, and so on.
    """
    shuffled = rng.permutation(len(label))
    by_class = np.argsort(label[shuffled], kind="stable")
    grouped = label[shuffled][by_class]
    turn = np.empty(len(label), np.int64)
    turn[by_class] = np.arange(len(label)) - np.searchsorted(grouped, grouped)
    return shuffled[np.argsort(turn, kind="stable")]


def halves(
    label: NDArray[np.integer], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide the rows into two random halves, equal overall and in each class to within one row.

    Args:
        label: Class of each row, shape (n,).
        rng: Source of randomness.

    Returns:
        Row indices of each half, in random order; every prefix holds the classes as evenly as possible.
    """
    shuffled = rng.permutation(len(label))
    grouped = shuffled[np.argsort(label[shuffled], kind="stable")]
    # Every second row over all classes in turn; a class of odd size changes which half gets the next row.
    first, second = grouped[0::2], grouped[1::2]
    return first[balanced_order(label[first], rng)], second[balanced_order(label[second], rng)]


def split(
    train: Samples,
    validation: Samples,
    test: Samples,
    *,
    keys: tuple[Keys, Keys, Keys],
    start: int,
    cap: int | None,
    seed: int,
) -> RealData:
    """Make real data with at most ``cap`` training images; the first ``start`` are the start set.

    The seed determines which images; every prefix of the training images is balanced over the classes.
    Training images that are also held out are removed.

    Args:
        train: All training images.
        validation: Held-out images for decisions, possibly none.
        test: Held-out images for reported numbers.
        keys: Content key of each image, in each of the three.
        start: Size of the start set.
        cap: Largest number of training images; None for all.
        seed: Seed for drawing the training images.

    Raises:
        ConfigError: There are fewer training images than the start set needs.
        DataError: No training image is left.
    """
    stay, stay_validation = apart(*keys)
    train, validation = train.select(stay), validation.select(stay_validation)
    train = train.select(balanced_order(train.array(LABEL), Address(seed).rng())[:cap])
    check_start(start, len(train))
    return RealData(
        start=train.select(slice(start)),
        train=train,
        test=test,
        conditions=Samples(label=np.unique(train.array(LABEL))),
        validation=validation,
        duplicates=counted(train=stay, validation=stay_validation),
    )
