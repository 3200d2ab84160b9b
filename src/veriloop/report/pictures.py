"""Sample grids: what the models of a run draw, beside real images, as embedded PNG."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..cards import RunCard
from ..samples import Samples
from ..schema import schema_of
from ..store.folder import RunFolder
from .summary import by_arm

COLUMNS = 10
"""Images side by side. Previews cycle through the classes, so ten make a column for each digit."""

TILE = 32
"""About how many pixels wide an image is drawn; small ones are enlarged by a whole factor, unblurred."""


DRAWN = 16
"""Up to this number of levels an image is a drawing: ink on a page."""


@dataclass(frozen=True)
class Picture:
    """A sheet of images, ready for an ``img`` element.

    Attributes:
        title: Shown above it.
        alt: Its text alternative.
        source: A ``data:`` URI.
        width: In pixels.
        height: In pixels.
        photograph: Whether it is in its own light, which a page must not turn.
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
        references: Real images, the start model that all arms share, and the last round of the arms
            trained on all real data.
        arms: The first, middle and last round of every other arm.
    """

    references: list[Picture]
    arms: dict[str, list[Picture]]


def gallery(folder: RunFolder) -> Gallery | None:
    """The sheets of a run; None when it left no real images to compare with, or its data are no images.

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
    """What an arm's model of a round draws; None when it has drawn nothing yet, or no images.

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


def contact_sheet(pixels: NDArray, largest: float) -> Image.Image:
    """Images in rows of `COLUMNS`.

    Args:
        pixels: Shape (n, height, width), or (n, height, width, 3) in colour.
        largest: The value drawn as full ink, or as full light.

    Returns:
        Of drawings, which count up to `DRAWN`, a picture of black ink whose opacity is the value, so that a
        page can set its own colours: 0 leaves the page bare. Of photographs, a picture in their own light.
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


def is_photograph(pixels: NDArray, largest: float) -> bool:
    """Whether images are drawn in their own light: those in colour, and those of more than `DRAWN` levels."""
    return pixels.ndim == 4 or largest > DRAWN


def sheet_of(title: str, subject: str, pixels: NDArray, largest: float) -> Picture:
    """Images as one picture, with its title; ``subject`` is what its text alternative calls them."""
    sheet = contact_sheet(pixels, largest)
    buffer = io.BytesIO()
    sheet.save(buffer, format="PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    alt = f"Grid of {len(pixels)} {subject}"
    return Picture(title, alt, source, sheet.width, sheet.height, is_photograph(pixels, largest))


def pixels_of(samples: Samples | None, cards: RunCard) -> NDArray | None:
    """The first column of images in samples; None when there are none."""
    if samples is None:
        return None
    # A run of an earlier version may not know its columns: then they are what they look like.
    schema = cards.data or schema_of(samples, None)
    images = [samples[name] for name in schema.named("image") if name in samples and len(samples)]
    return next((x for x in images if isinstance(x, np.ndarray) and x.ndim in (3, 4)), None)


def first_middle_last(rounds: list[int]) -> list[int]:
    """The rounds of which samples are shown."""
    return sorted({rounds[0], rounds[(len(rounds) - 1) // 2], rounds[-1]}) if rounds else []
