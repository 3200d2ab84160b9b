"""Matplotlib figures: where they may be written, and the few things that all of them share."""

import io
from functools import lru_cache
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..errors import ConfigError
from ..store.atomic import write_file

SUFFIXES = (".png", ".svg", ".pdf")

DASHES: dict[str, Any] = {
    "solid": "-",
    "dash": "--",
    "dot": ":",
    "dashdot": "-.",
    "longdash": (0, (9, 4)),
    "longdashdot": (0, (9, 3, 2, 3)),
}
"""An arm's dash (`report.palette`) in matplotlib's words."""
MARKERS = {
    "circle": "o",
    "diamond": "D",
    "square": "s",
    "triangle-up": "^",
    "cross": "P",
    "x": "X",
    "triangle-down": "v",
}
"""An arm's marker in matplotlib's words."""

_DATE = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""What keeps the time out of a file, so that equal figures are equal files."""


def check_suffix(path: Path) -> None:
    """Refuse a file that `save_figure` could not write, before anything is computed.

    Raises:
        ConfigError: The suffix is unknown, or the folder does not exist.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"cannot draw to {path}", expected=f"a file that ends in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise ConfigError(f"cannot write {path}: no such folder", fix=f"make {path.parent} first")


def round_axis(axes: Axes) -> None:
    """Show rounds along the horizontal axis, at whole numbers, over a light grid."""
    axes.set_xlabel("round $k$")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.grid(which="both", color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)


def save_figure(figure: Figure, path: Path) -> None:
    """Write ``figure`` to ``path``, in the format of its suffix.

    Raises:
        ConfigError: The suffix is unknown, or the folder does not exist.
        StorageError: It could not be written.
    """
    check_suffix(path)
    write_file(path, drawn(figure, path.suffix.lower()))


@lru_cache(maxsize=64)
def drawn(figure: Figure, suffix: str) -> bytes:
    """Return the content of a file of one of `SUFFIXES`; equal figures give equal bytes.

    Drawing takes a second, so a figure is drawn once; it must not change afterwards.
    """
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "veriloop"}):
        figure.savefig(buffer, format=suffix[1:], dpi=100, metadata=_DATE[suffix])
    return buffer.getvalue()
