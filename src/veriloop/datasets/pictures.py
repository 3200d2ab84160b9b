"""Convert pictures from other programs, mainly PNG and JPEG files, to arrays of one shape.

Nothing is lost silently: pictures of several sizes are refused unless a size is set, and unreadable ones are
named. Only headers are read to find out what a whole set of pictures looks like.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from ..errors import DataError

LARGEST = 64
"""Longest side in pixels that the built-in networks support."""

BYTE = 255
"""Largest pixel value of a picture."""

Colour = Literal["grey", "rgb"]

GREY_MODES = frozenset({"1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N"})
"""Pillow's modes without colour; integers larger than a byte are reduced to one."""

NUMBERS = frozenset({"I", "F"})
"""Pillow's modes whose numbers have no fixed meaning."""

_TURNED = frozenset({5, 6, 7, 8})
"""Values of a camera's orientation tag that swap height and width."""

_ORIENTATION = 0x0112


class Head(NamedTuple):
    """The header of a picture.

    Attributes:
        name: Name for error messages.
        height: Height in pixels, the right way up.
        width: Width in pixels, the right way up.
        grey: Whether it has no colour.
    """

    name: str
    height: int
    width: int
    grey: bool


class Form(NamedTuple):
    """The common form of all pictures in a data set.

    Attributes:
        height: Height in pixels.
        width: Width in pixels.
        channels: 1 for grey, 3 for colour.
        levels: Largest pixel value.
    """

    height: int
    width: int
    channels: int
    levels: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one picture's array."""
        size = (self.height, self.width)
        return size if self.channels == 1 else (*size, self.channels)


def opened(path: Path) -> Image.Image:
    """Open the picture in a file, reading only its header.

    Raises:
        DataError: It is not a readable picture, or it has too many pixels.
    """
    try:
        return Image.open(path, formats=("PNG", "JPEG"))
    except (OSError, ValueError, Image.DecompressionBombError) as e:
        raise unreadable(str(path), e) from e


def unreadable(name: str, error: Exception) -> DataError:
    """Return the error for a picture that raised ``error``."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"picture {name} cannot be read ({reason})", fix="restore or remove it")


def head_of(picture: Image.Image, name: str) -> Head:
    """Return the header of ``picture``.

    Raises:
        DataError: Its pixels are numbers without a fixed meaning.
    """
    if picture.mode in NUMBERS:
        raise DataError(
            f"picture {name}",
            got=f"pixels of mode {picture.mode}, whose range is not known",
            expected="bytes, or 16-bit grey",
            fix="save it with 8 bits per channel",
        )
    width, height = picture.size
    if _marked(picture) and picture.getexif().get(_ORIENTATION) in _TURNED:
        width, height = height, width
    return Head(name, height, width, picture.mode in GREY_MODES)


def _marked(picture: Image.Image) -> bool:
    """Whether its header may hold an orientation tag; checking others would read the whole picture."""
    return picture.format == "JPEG" or "exif" in picture.info


def form_of(
    heads: Sequence[Head], size: tuple[int, int] | None, colour: Colour | None, levels: int, where: str
) -> Form:
    """Return the common form of all pictures, from their headers and the settings.

    Args:
        heads: Headers of all pictures; at least one.
        size: Height and width to convert to; None if all have one size.
        colour: Colour to convert to; None for colour if any picture has it.
        levels: Largest pixel value.
        where: Name of the data set for error messages.

    Raises:
        DataError: They have several sizes or are too large, and no size is set.
    """
    first = heads[0]
    if size is None:
        if other := next((h for h in heads if (h.height, h.width) != (first.height, first.width)), None):
            raise DataError(
                f"pictures of several sizes in {where}",
                got=f"{_sized(first)} and {_sized(other)}",
                expected="one size",
                fix=f"set size, such as size: {min(LARGEST, max(first.height, first.width))}: "
                "pictures are then cropped to their centre and resized",
            )
        size = first.height, first.width
        if max(size) > LARGEST:
            raise DataError(
                f"large pictures in {where}",
                got=_sized(first),
                expected=f"sides of at most {LARGEST}",
                fix=f"set size: {LARGEST}, or less: pictures are then cropped to their centre and resized",
            )
    grey = all(h.grey for h in heads) if colour is None else colour == "grey"
    return Form(*size, 1 if grey else 3, levels)


def _sized(head: Head) -> str:
    return f"{head.name} of {head.height}x{head.width}"


def array_of(picture: Image.Image, name: str, form: Form) -> NDArray[np.uint8]:
    """Convert a picture to ``form``.

    It is rotated by its orientation tag. Transparent parts become white. If the form has another size, the
    largest central part of that shape is resized.

    Raises:
        DataError: It cannot be read completely.
    """
    try:
        turned = ImageOps.exif_transpose(picture) if _marked(picture) else picture
        flat = _opaque(turned).convert("L" if form.channels == 1 else "RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as e:
        raise unreadable(name, e) from e
    if flat.size != (form.width, form.height):
        flat = ImageOps.fit(flat, (form.width, form.height), Image.Resampling.LANCZOS)
    return to_levels(np.asarray(flat, np.uint8), form.levels)


def to_levels(pixels: NDArray[np.uint8], levels: int) -> NDArray[np.uint8]:
    """Convert bytes to the nearest values 0..levels."""
    if levels == BYTE:
        return pixels
    return ((pixels.astype(np.uint16) * levels + BYTE // 2) // BYTE).astype(np.uint8)


def _opaque(picture: Image.Image) -> Image.Image:
    """Remove transparency, and use one byte per channel."""
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture, np.uint16) >> 8).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture.convert("RGBA"))
    return page


def stacked(n: int, one: Callable[[int], NDArray[np.uint8]], form: Form) -> NDArray[np.uint8]:
    """Return pictures 0..n-1 as one array of shape (n, *form.shape)."""
    pixels = np.empty((n, *form.shape), np.uint8)
    for i in range(n):
        pixels[i] = one(i)
    return pixels


def as_picture(value: Any, name: str) -> Image.Image:
    """Convert a picture from a program: a Pillow image, an array, or a torch tensor.

    Arrays have shape (height, width), (height, width, channels) or (channels, height, width), with 1, 3 or 4
    channels; their values are bytes, or fractions in [0, 1].

    Raises:
        DataError: It is none of these.
    """
    if isinstance(value, Image.Image):
        return value
    array = np.asarray(value)
    if array.ndim == 3 and array.shape[0] in (1, 3, 4) and array.shape[2] not in (1, 3, 4):
        array = array.transpose(1, 2, 0)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if fits and array.dtype.kind == "f" and array.size and array.min() >= 0 and array.max() <= 1:
        array = np.round(array * BYTE).astype(np.uint8)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(BYTE)
    if not fits or array.dtype != np.uint8 or not array.size:
        got = f"{type(value).__name__}, {array.dtype} of shape {array.shape}"
        raise DataError(
            f"picture {name}",
            got=got,
            expected="a picture: height x width, with 1 or 3 channels, of bytes or fractions in [0, 1]",
            fix="remove transforms that normalise, or use one that gives bytes",
        )
    return Image.fromarray(np.ascontiguousarray(array))
