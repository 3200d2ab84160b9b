"""Scikit-learn's handwritten digits: small, real, and always installed."""

from typing import Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..extras import require
from ..rng import Address
from ..samples import Samples
from ..schema import Image, Label, Schema
from .base import Dataset, RealData, check_start
from .images import balanced_order, split
from .splits import array_keys

require("sklearn")

CLASSES = 10
SIDE = 8
IMAGES = 1_797
UNSEEN = 600
"""Number of images, first in the fixed order, that the metrics' classifier was not trained on."""


class Digits(Dataset, frozen=True):
    """1,797 real 8x8 images of handwritten digits with pixel values 0..16.

    A pixel counts the set points among 16 of a finer bitmap, so Binomial(16, p) is its natural likelihood.
    The images are ordered by writer, which is why all splits are shuffled.

    The validation and test images are the same for every seed, so that results can be compared across seeds;
    the start images depend on the seed.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (its test part), as
    bundled with scikit-learn.

    Attributes:
        start: Number of images that the start model is trained on, balanced over the digits.
        train: Largest number of real training images, balanced; None for all that are not held out.
        validation: Number of images held out for decisions, balanced; 0 for none.
        test: Number of images held out for reported numbers, balanced. Validation and test together have at
            most 600 images, because the metrics' classifier was trained on the others.
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
                expected=f"at most {UNSEEN} together: the metrics' classifier was trained on the others",
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
        """Load and split; ``seed`` only affects the choice and order of training images."""
        from sklearn.datasets import (
            load_digits,  # takes most of a second, not needed for the schema
        )

        bunch: Any = load_digits()
        everything = Samples(pixels=bunch["images"].astype(np.uint8), label=bunch["target"].astype(np.int64))
        # The address does not contain the run's seed: one order for all. Test images come from the front of
        # the 600, and validation images from the end, so that neither number affects the other split.
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
