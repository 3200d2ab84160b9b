"""Sample grids: what a run's models draw, next to real images, as embedded PNG."""

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..cards import RunCard
from ..samples import Samples
from ..schema import schema_of
from ..store.folder import RunFolder
from .summary import by_arm

COLUMNS = 10
"""Images per row. Previews cycle through the classes, so ten make a column per digit."""

TILE = 32
"""Approximate width of a drawn image in pixels; small ones are enlarged by an integer factor, unblurred."""


DRAWN = 16
"""Largest number of levels for which an image is a drawing: ink on a page."""


@dataclass(frozen=True)
class Picture:
    """A sheet of images for an ``img`` element.

    Attributes:
        title: Title above it.
        alt: Text alternative.
        source: ``data:`` URI.
        width: Width in pixels.
        height: Height in pixels.
        photograph: Whether it has its own colours, which a page must not invert.
    """

    title: str
    alt: str
    source: str
    width: int
    height: int
    photograph: bool


@dataclass(frozen=True)
class Gallery:
    """All sheets of a run.

    Attributes:
        references: Real images, the start model that all arms share, and the last round of the arms trained
            on all real data.
        arms: First, middle and last round of every other arm.
    """

    references: list[Picture]
    arms: dict[str, list[Picture]]


def gallery(folder: RunFolder) -> Gallery | None:
    """Return the sheets of a run; None if it stored no real images, or its data are not images.

    Raises:
        CorruptFileError: A file of samples cannot be read.
    """
    cards = folder.manifest().cards
    real = pixels_of(folder.real(), cards)
    if real is None:
        return None
    largest = max(float(real.max()), 1e-12)
    chains = by_arm(folder.records(), cards.arms)
    bounds = [arm for arm in cards.bounds if arm in chains]

    def sheets(arm: str, rounds: list[int], title: str) -> list[Picture]:
        """Return a sheet of each of the rounds that stored samples."""
        shown = {number: pixels_of(folder.preview(number, arm), cards) for number in rounds}
        return [
            sheet_of(title.format(number), f"samples of {arm}, round {number}", pixels, largest)
            for number, pixels in shown.items()
            if pixels is not None
        ]

    references = [sheet_of("real images", "held-out real images", real, largest)]
    if chains:
        references += sheets(next(iter(chains)), [0], "start model")
    for arm in bounds:
        references += sheets(arm, [chains[arm][-1].round], arm)
    arms = {
        arm: sheets(arm, first_middle_last([r.round for r in chain if r.round > 0]), "round {}")
        for arm, chain in chains.items()
        if arm not in bounds
    }
    return Gallery(references, {arm: pictures for arm, pictures in arms.items() if pictures})


def sheet(folder: RunFolder, round_: int, arm: str) -> Picture | None:
    """Return the sheet of an arm's model after a round; None if it has drawn no images.

    Raises:
        CorruptFileError: A file of samples cannot be read.
    """
    cards = folder.manifest().cards
    pixels = pixels_of(folder.preview(round_, arm), cards)
    if pixels is None:
        return None
    real = pixels_of(folder.real(), cards)
    largest = max(float((pixels if real is None else real).max()), 1e-12)
    return sheet_of(f"{arm}, round {round_}", f"samples of {arm}, round {round_}", pixels, largest)


def contact_sheet(pixels: NDArray[Any], largest: float) -> Image.Image:
    """Arrange images in rows of `COLUMNS`.

    Args:
        pixels: Images, shape (n, height, width), or (n, height, width, 3) in colour.
        largest: Value drawn as full ink, or as full light.

    Returns:
        For drawings, with up to `DRAWN` levels, a picture of black ink whose opacity is the value, so that a
        page can set its own colours: 0 is transparent. For photographs, a picture with its own colours.
    """
    n, height, width, *colour = pixels.shape
    scale = max(1, round(TILE / max(height, width)))
    gap = max(2, TILE // 12)
    ink = np.clip(pixels / largest * 255, 0, 255).round().astype(np.uint8)
    ink = ink.repeat(scale, axis=1).repeat(scale, axis=2)
    rows = -(-n // COLUMNS)
    tall, wide = height * scale + gap, width * scale + gap
    size = (rows * tall - gap, min(n, COLUMNS) * wide - gap)
    sheet, page = np.zeros((*size, *colour), np.uint8), np.zeros(size, np.uint8)
    for i, image in enumerate(ink):
        top, left = i // COLUMNS * tall, i % COLUMNS * wide
        place = slice(top, top + height * scale), slice(left, left + width * scale)
        sheet[place], page[place] = image, 255
    if is_photograph(pixels, largest):
        mode = "RGB" if colour else "L"
        light = Image.fromarray(sheet).convert(mode)
        return Image.merge(f"{mode}A", (*light.split(), Image.fromarray(page)))
    black = Image.new("L", (sheet.shape[1], sheet.shape[0]), 0)
    return Image.merge("LA", (black, Image.fromarray(sheet)))


def is_photograph(pixels: NDArray[Any], largest: float) -> bool:
    """Whether images are shown with their own colours: those in colour, or with more than `DRAWN` levels."""
    return pixels.ndim == 4 or largest > DRAWN


def sheet_of(title: str, subject: str, pixels: NDArray[Any], largest: float) -> Picture:
    """Return images as one picture with a title; ``subject`` is used in the text alternative."""
    sheet = contact_sheet(pixels, largest)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    alt = f"Grid of {len(pixels)} {subject}"
    return Picture(title, alt, source, sheet.width, sheet.height, is_photograph(pixels, largest))


def pixels_of(samples: Samples | None, cards: RunCard) -> NDArray[Any] | None:
    """Return the first image column of samples; None if there is none."""
    if samples is None:
        return None
    # A run of an earlier version may lack column types, so infer them.
    schema = cards.data or schema_of(samples, None)
    images = [samples[name] for name in schema.named("image") if name in samples and len(samples)]
    return next((x for x in images if isinstance(x, np.ndarray) and x.ndim in (3, 4)), None)


def first_middle_last(rounds: list[int]) -> list[int]:
    """Return the rounds whose samples are shown."""
    return sorted({rounds[0], rounds[(len(rounds) - 1) // 2], rounds[-1]}) if rounds else []
