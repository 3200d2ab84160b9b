"""Labelled images as samples: which columns they have, and how they are drawn, balanced and split.

Our image samples have the columns ``pixels``, uint8 counts 0..levels of shape (n, height, width), or (n,
height, width, channels) in colour, and ``label``, int64 class indices of shape (n,). With ``levels=1`` a
pixel is a bit.
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
    """The checked columns of image samples: pixels (n, height, width[, channels]) and labels (n,).

    Args:
        samples: With both columns.
        levels: A pixel counts 0..levels.
        classes: How many labels there are.
        image: The column of the images.
        label: The column of their labels.

    Raises:
        DataError: A column is missing or of another kind, a count is above ``levels``, or a label is
            not below ``classes``.
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
            f"column {image!r} counts too far",
            got=int(pixels.max()),
            expected=f"counts up to levels={levels}",
            fix="leave levels out: it is the data's",
        )
    return pixels, labels(samples, classes, label)


def labels(samples: Samples, classes: int, name: str = LABEL) -> NDArray[np.int64]:
    """The checked column of labels, shape (n,), values 0..classes-1.

    Raises:
        DataError: The column is missing, not of whole numbers, or a label is out of range.
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


def halves(
    label: NDArray[np.integer], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows in two random halves, alike in each class and in all to within one row.

    Args:
        label: Class of each row, shape (n,).
        rng: Source of the choice.

    Returns:
        Row indices of each half, in random order; every prefix holds the classes as evenly as possible.
    """
    shuffled = rng.permutation(len(label))
    grouped = shuffled[np.argsort(label[shuffled], kind="stable")]
    # Every second row of the classes one after the other: a class of odd size changes whose turn it is.
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
    """Real data with at most ``cap`` training images, of which the first ``start`` are the start set.

    The seed draws which; every prefix of the training images is balanced over the classes. Images that are
    held out, too, are left out.

    Args:
        train: All training images.
        validation: Held out; maybe none.
        test: Held out.
        keys: What each image's content is, in each of the three.
        start: Size of the start set.
        cap: At most so many training images; None for all.
        seed: Draws the training images.

    Raises:
        ConfigError: There are fewer training images than the start set wants.
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
