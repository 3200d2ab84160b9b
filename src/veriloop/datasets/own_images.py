"""Base class of data sets of a user's pictures, from any source."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from typing_extensions import override

from ..data_root import under_data_root
from ..errors import DataError
from ..samples import Samples
from ..schema import Image, Label, Schema
from .base import Dataset, RealData
from .held_out import Pool, Splits
from .images import LABEL, PIXELS
from .pictures import LARGEST, Colour, Form, Head, form_of, stacked
from .splits import array_keys

Side = Annotated[int, Field(ge=1, le=LARGEST)]
SplitName = Literal["train", "validation", "test"]


class Pictures(NamedTuple):
    """The pictures of one split, not read yet.

    Attributes:
        label: Class of each picture, shape (n,).
        head: Function that returns the header of picture i.
        read: Function that returns picture i in a given form.
    """

    label: NDArray[np.int64]
    head: Callable[[int], Head]
    read: Callable[[int, Form], NDArray[np.uint8]]


class OwnImages(Dataset, Splits, frozen=True):
    """Pictures, grey or in colour, with their classes.

    Samples have the columns ``pixels`` and ``label``. Pictures without classes all have class 0.

    Attributes:
        size: Side, or height and width, of the pictures: the largest central part of that shape is resized.
            None: unchanged, all of one size, at most 64x64.
        colour: ``grey`` or ``rgb``; None: ``rgb`` if any picture has colour.
        levels: Largest pixel value; each pixel gets the level nearest to its original byte. Fewer levels make
            an easier task: 1 is black and white, 15 keeps smooth shades.

    The other fields are those of `veriloop.datasets.held_out.Splits`.
    """

    size: Side | tuple[Side, Side] | None = None
    colour: Colour | None = None
    levels: Annotated[int, Field(ge=1, le=255)] = 255

    @abstractmethod
    def pictures(self) -> Mapping[SplitName, Pictures]:
        """Return the published splits: ``train`` and possibly others."""

    @abstractmethod
    def classes(self) -> int:
        """Return the number of classes."""

    @abstractmethod
    def called(self) -> str:
        """Return the name of the data for error messages."""

    @override
    def schema(self) -> Schema:  # pyright: ignore[reportIncompatibleMethodOverride]  # pydantic's old one
        form = self._form(self.pictures())
        return Schema(
            {
                PIXELS: Image(
                    height=form.height, width=form.width, channels=form.channels, levels=form.levels
                ),
                LABEL: Label(classes=self.classes()),
            }
        )

    @override
    def check_ahead(self, schema: Schema) -> None:
        super().check_ahead(schema)
        held = self.pictures()
        test = held.get("test")
        n = None if test is None else len(test.label)
        self.check_sizes(len(held["train"].label), n, self.classes(), self.called())

    @override
    def load(self, seed: int) -> RealData:
        """Load and split; ``seed`` only affects the choice and order of training pictures."""
        held = self.pictures()
        form = self._form(held)
        pools = {name: _pool(pictures, form) for name, pictures in held.items()}
        return self.split(
            pools["train"],
            pools.get("validation"),
            pools.get("test"),
            label=LABEL,
            seed=seed,
            where=self.called(),
        )

    def _form(self, held: Mapping[SplitName, Pictures]) -> Form:
        heads = [p.head(i) for p in held.values() for i in range(len(p.label))]
        if not heads:
            raise DataError(f"no pictures in {self.called()}", expected="PNG or JPEG files")
        size = (self.size, self.size) if isinstance(self.size, int) else self.size
        return form_of(heads, size, self.colour, self.levels, self.called())


def _pool(pictures: Pictures, form: Form) -> Pool:
    pixels = stacked(len(pictures.label), lambda i: pictures.read(i, form), form)
    return Pool(Samples(pixels=pixels, label=pictures.label), array_keys(pixels))


def found(path: Path, what: str, is_there: Callable[[Path], bool]) -> Path:
    """Search ``path`` in the working directory, then in ``$VERILOOP_DATA``.

    Raises:
        DataError: It is in neither.
    """
    candidates = under_data_root(path)
    for candidate in candidates:
        if is_there(candidate):
            return candidate
    looked = " and ".join(str(p) for p in candidates)
    raise DataError(f"no {what} {path}", got=f"looked in {looked}", fix="check the path")
