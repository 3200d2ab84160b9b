"""Scikit-learn's handwritten digits: small, real, and part of an installation that we need anyway."""

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field
from sklearn.datasets import load_digits

from ..errors import ConfigError
from ..rng import Address
from ..samples import Samples
from .base import Dataset, RealData
from .images import balanced_order

CLASSES = 10
SHIPPED_CLASSIFIER_TEST = 600
"""The classifier that our metrics use was trained on all digits but the first 600 of the test order."""


class Digits(Dataset, frozen=True):
    """1,797 real 8x8 images of handwritten digits; a pixel counts 0..16 (``levels=16``).

    A pixel counts the set ones among 16 points of a finer bitmap, so Binomial(16, p) is its natural
    likelihood. The images come in the order of their writers, which is why both splits are shuffled.

    The test images are the same for every seed, so that numbers can be compared across seeds; the start
    images are drawn by the seed.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (its test part), as
    bundled with scikit-learn.

    Attributes:
        start: How many images the start model is trained on, balanced over the digits.
        train: At most so many real training images, balanced; None for all that are not held out.
        test: How many images are held out, balanced. At most 600: the classifier of the metrics has seen
            the others.
    """

    levels: ClassVar[int] = 16

    start: Annotated[int, Field(ge=1)] = 25
    train: Annotated[int, Field(ge=1)] | None = None
    test: Annotated[int, Field(ge=CLASSES, le=SHIPPED_CLASSIFIER_TEST)] = SHIPPED_CLASSIFIER_TEST

    def load(self, seed: int) -> RealData:
        """Load and split; only the choice and order of training images depends on ``seed``."""
        bunch: Any = load_digits()
        everything = Samples(pixels=bunch["images"].astype(np.uint8), label=bunch["target"].astype(np.int64))
        # The address has no seed of the run in it: one test order for all.
        fixed = everything.select(
            balanced_order(everything.array("label"), Address(seed=0, arm="digits").rng())
        )
        rest = fixed.select(slice(self.test, None))
        return split(rest, fixed.select(slice(self.test)), self.start, self.train, seed)


def split(train: Samples, test: Samples, start: int, cap: int | None, seed: int) -> RealData:
    """Real data with at most ``cap`` training images, of which the first ``start`` are the start set.

    The seed draws which; every prefix of the training images is balanced over the classes.

    Raises:
        ConfigError: There are fewer training images than the start set wants.
    """
    order = balanced_order(train.array("label"), Address(seed).rng())
    train = train.select(order[:cap])
    if start > len(train):
        raise ConfigError(
            "start set larger than the training set",
            got=f"start={start}",
            expected=f"at most {len(train)}",
            fix="lower start, or raise train",
        )
    classes = np.unique(train.array("label"))
    return RealData(
        start=train.select(slice(start)), train=train, test=test, conditions=Samples(label=classes)
    )
