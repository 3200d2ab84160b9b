"""Grids of images that the models draw, over the rounds of one run."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..comparison.runs import Recorded
from ..rng import Address, Stage
from ..samples import Samples

ACROSS, DOWN = 10, 4
"""Number of images in a row of a grid, and of rows: one column for each of the ten classes."""


class Grid(NamedTuple):
    """Images with values in [0, 1], shape ``(n, height, width)``, and their title."""

    title: str
    images: NDArray[Any]


def grids_figure(run: Recorded) -> Figure:
    """Draw real images, the start model and the bound; below, some rounds of every other arm.

    Models are shown by their means (pixel probabilities), which are easier to look at than their samples.
    Training, verification and metrics use samples, in which each pixel is drawn.
    """
    shown = run.folder.real()
    assert shown is not None  # Every run with a finished round stores some.
    real = shown.select(slice(ACROSS * DOWN))
    pixels, labels = real.array("pixels"), real.only(["label"])
    last = {r.arm: r.round for r in sorted(run.records, key=lambda r: r.round)}
    bounds = [arm for arm in last if run.job.plan.arms[arm].train_on == "real"]

    def grid(title: str, arm: str, number: int) -> Grid:
        """Return the grid of one model."""
        address = run.job.plan.address(arm, number)
        run.folder.check_files(number, arm, "generator")
        return Grid(title, _means(run.folder.round_directory(number, arm), address, labels))

    above = [Grid("real, held out", pixels / pixels.max()), grid("start model", next(iter(last)), 0)]
    above += [grid("trained on all real images", arm, 1) for arm in bounds if last[arm]]
    below = [
        [grid(f"{arm}, round {number}", arm, number) for number in _first_middle_last(last[arm])]
        for arm in run.job.plan.arms
        if arm in last and arm not in bounds
    ]
    return _drawn([above, *below], f"{run.job.name}: means of the models, for the eye; they train on samples")


def _means(directory: Path, address: Address, labels: Samples) -> NDArray[Any]:
    """Return the means of the first images that the metrics saw; their samples are in ``preview.npz``."""
    from ..learners._cvae_generator import CVAEGenerator

    generator = CVAEGenerator.load(directory / "generator")
    return generator.means(len(labels), address.at(Stage.EVALUATE).rng(), labels)


def _first_middle_last(last: int) -> list[int]:
    return sorted({1, (1 + last) // 2, last}) if last else []


def _drawn(rows: list[list[Grid]], title: str) -> Figure:
    columns = max(map(len, rows))
    figure = Figure(figsize=(3.9 * columns, 0.4 + 1.85 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), columns, squeeze=False)
    for panel in panels.ravel():
        panel.set_axis_off()
    for row, grids in zip(panels, rows, strict=True):
        for panel, grid in zip(row, grids, strict=False):
            panel.imshow(tiled(grid.images), cmap="gray_r", vmin=0, vmax=1)
            panel.set_title(grid.title, fontsize=10)
    figure.suptitle(title, fontsize=11)
    return figure


def tiled(images: NDArray[Any]) -> NDArray[Any]:
    """Join images ``(n, height, width)`` into one, `ACROSS` in a row, with an empty line between them."""
    n, height, width = images.shape
    down = -(-n // ACROSS)
    sheet = np.zeros((down * ACROSS, height + 1, width + 1))
    sheet[:n, :height, :width] = images
    return sheet.reshape(down, ACROSS, height + 1, width + 1).swapaxes(1, 2).reshape(down * (height + 1), -1)
