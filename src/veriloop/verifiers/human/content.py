"""Samples as shown to people: a key that identifies each, and a picture or words."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ...nested import Nested
from ...samples import Column, Samples
from ...turns import are_turns
from ...turns import shown as turns_shown

_MOST_NUMBERS = 16
"""Largest number of values per sample that can be shown to a person."""


DRAWN = 16
"""Largest number of levels for which an image is a drawing: ink on a page."""


@dataclass(frozen=True)
class Sight:
    """What a person sees of a sample.

    Attributes:
        words: Other columns as text, by name.
        picture: PNG image; None without pixels. A drawing, with up to `DRAWN` levels, is black ink whose
            opacity is the value, so that a page can set its own colours; a photograph has its own colours.
    """

    words: Mapping[str, str]
    picture: bytes | None


def content_keys(samples: Samples) -> list[str]:
    """Return the SHA-256 of each sample's content, in hexadecimal; equal samples have equal keys.

    Columns that start with an underscore say where a sample was made and are not part of the content.
    """
    names = sorted(_content(samples))
    columns = [samples[name] for name in names]
    heads = [
        f"{name}:{column.dtype.str}{column.shape[1:]};".encode()
        if isinstance(column, np.ndarray)
        else f"{name}:text;".encode()
        for name, column in zip(names, columns, strict=True)
    ]
    keys = []
    for row in range(len(samples)):
        digest = hashlib.sha256()
        for head, column in zip(heads, columns, strict=True):
            value = column[row]
            content = value.encode() if isinstance(value, str) else np.ascontiguousarray(value).tobytes()
            # Lengths are included, so that no two samples give the same bytes.
            digest.update(head + len(content).to_bytes(8, "little") + content)
        keys.append(digest.hexdigest())
    return keys


def image_column(samples: Samples) -> str | None:
    """Return the column shown as a picture: the first of uint8 values, (n, height, width[, channels])."""
    for name in _content(samples):
        column = samples[name]
        if isinstance(column, np.ndarray) and column.dtype == np.uint8 and column.ndim in (3, 4):
            return name
    return None


def full_ink(samples: Samples) -> float:
    """Return the largest pixel value in ``samples``, drawn as full ink; 1 without pictures."""
    name = image_column(samples)
    return float(samples.array(name).max()) if name and len(samples) else 1.0


def shown(samples: Samples, largest: float) -> list[Sight]:
    """Return what people see of each sample.

    Args:
        samples: Samples; columns that start with an underscore are left out.
        largest: Pixel value drawn as full ink.

    Raises:
        DataError: A column has too many numbers to show.
    """
    image = image_column(samples)
    names = [name for name in _content(samples) if name != image]
    words = {name: _words(name, samples[name]) for name in names}
    pictures: list[bytes | None] = [None] * len(samples)
    if image is not None:
        pictures = [_png(pixels, largest) for pixels in samples.array(image)]
    return [Sight({name: words[name][row] for name in names}, pictures[row]) for row in range(len(samples))]


def _content(samples: Samples) -> list[str]:
    return [name for name in samples if not name.startswith("_")]


def _words(name: str, column: Column) -> list[str]:
    if isinstance(column, Nested) and are_turns(column):
        return [turns_shown(turns) for turns in column.values()]
    if not isinstance(column, np.ndarray):
        return list(column)
    flat = column.reshape(len(column), -1) if len(column) else column.reshape(0, 1)
    if flat.shape[1] > _MOST_NUMBERS:
        raise DataError(
            f"column {name!r} cannot be shown to people",
            got=f"{flat.shape[1]} numbers per sample",
            expected=f"at most {_MOST_NUMBERS}, or one column of images: uint8 of shape (n, height, width), "
            "or (n, height, width, 3)",
        )
    return [", ".join(f"{number:.6g}" for number in row) for row in flat.tolist()]


def _png(image: NDArray[Any], largest: float) -> bytes:
    from PIL import Image

    ink = np.clip(image / max(largest, 1e-12) * 255, 0, 255).round().astype(np.uint8)
    picture = Image.fromarray(ink)
    if ink.ndim == 2 and largest <= DRAWN:
        picture = Image.merge("LA", (Image.new("L", picture.size, 0), picture))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
