"""Matplotlib figures: where they may be written, and the few things that all of them share."""

import io
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from ..errors import ConfigError
from ..store.atomic import write_file

SUFFIXES = (".png", ".svg", ".pdf")

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


def save_figure(figure: Figure, path: Path) -> None:
    """Write ``figure`` to ``path``, in the format of its suffix.

    Raises:
        ConfigError: The suffix is unknown, or the folder does not exist.
        StorageError: It could not be written.
    """
    check_suffix(path)
    suffix, drawn = path.suffix.lower(), io.BytesIO()
    with rc_context({"svg.hashsalt": "veriloop"}):
        figure.savefig(drawn, format=suffix[1:], dpi=100, metadata=_DATE[suffix])
    write_file(path, drawn.getvalue())
