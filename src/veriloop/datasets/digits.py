"""Scikit-learn's handwritten digits: small, real, and part of an installation that we need anyway."""

from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..rng import Address
from ..samples import Samples
from ..schema import Image, Label, Schema
from .base import Dataset, RealData, check_start
from .images import balanced_order, split
from .splits import array_keys

CLASSES = 10
SIDE = 8
IMAGES = 1_797
UNSEEN = 600
"""The classifier that our metrics use was trained on all digits but the first 600 of the fixed order."""


class Digits(Dataset, frozen=True):
    """1,797 real 8x8 images of handwritten digits; a pixel counts 0..16.

    A pixel counts the set ones among 16 points of a finer bitmap, so Binomial(16, p) is its natural
    likelihood. The images come in the order of their writers, which is why all splits are shuffled.

    The validation and test images are the same for every seed, so that numbers can be compared across seeds;
    the start images are drawn by the seed.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (its test part), as
    bundled with scikit-learn.

    Attributes:
        start: How many images the start model is trained on, balanced over the digits.
        train: At most so many real training images, balanced; None for all that are not held out.
        validation: How many images are held out for decisions, balanced; 0 for none.
        test: How many images are held out for the numbers to report, balanced. Both together at most 600:
            the classifier of the metrics has seen the others.
    """

    levels: ClassVar[int] = 16

    start: Annotated[int, Field(ge=1)] = 25
    train: Annotated[int, Field(ge=1)] | None = None
    validation: Annotated[int, Field(ge=0, le=UNSEEN)] = UNSEEN // 2
    test: Annotated[int, Field(ge=CLASSES, le=UNSEEN)] = UNSEEN // 2

    @model_validator(mode="after")
    def _unseen(self) -> Self:
        if self.validation + self.test > UNSEEN:
            raise ConfigError(
                "validation and test hold out too many images",
                got=f"validation={self.validation}, test={self.test}",
                expected=f"{UNSEEN} together at most: the classifier of the metrics has seen the others",
                fix=f"lower one of them; validation: {UNSEEN - self.test} leaves test as it is",
            )
        return self

    @override
    def schema(self) -> Schema:
        return Schema(
            {"pixels": Image(height=SIDE, width=SIDE, levels=self.levels), "label": Label(classes=CLASSES)}
        )

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        rest = IMAGES - self.validation - self.test
        check_start(self.start, rest if self.train is None else min(self.train, rest))

    @override
    def load(self, seed: int) -> RealData:
        """Load and split; only the choice and order of training images depends on ``seed``."""
        from sklearn.datasets import (
            load_digits,  # takes most of a second, which a look at the schema need not
        )

        bunch: Any = load_digits()
        everything = Samples(pixels=bunch["images"].astype(np.uint8), label=bunch["target"].astype(np.int64))
        # The address has no seed of the run in it: one order for all. Test images come from the front of the
        # 600, and validation images from their end, so that neither choice moves the other.
        order = balanced_order(everything.array("label"), Address(seed=0, arm="digits").rng())
        fixed = everything.select(order)
        test, validation = slice(self.test), slice(UNSEEN - self.validation, UNSEEN)
        rest = np.delete(np.arange(len(fixed)), np.r_[test, validation])
        keys = array_keys(fixed.array("pixels"))
        return split(
            fixed.select(rest),
            fixed.select(validation),
            fixed.select(test),
            keys=([keys[i] for i in rest], keys[validation], keys[test]),
            start=self.start,
            cap=self.train,
            seed=seed,
        )
