"""The folder of the user's data and models, which ``$VERILOOP_DATA`` names."""

import os
from pathlib import Path

VARIABLE = "VERILOOP_DATA"


def data_root() -> Path | None:
    """Return the folder of the user's data; None if the variable is unset or empty."""
    root = os.environ.get(VARIABLE)
    return Path(root) if root else None


def under_data_root(path: Path | str) -> list[Path]:
    """Return a path of the user's: in the working directory, or else in the folder of data."""
    root = data_root()
    return [Path(path), *([root / path] if root else [])]


def place_in_data_root(name: str) -> str:
    """Return the place ``name`` in the folder of data, for a message."""
    root = data_root()
    return str(root / name) if root else f"${VARIABLE}/{name} ({VARIABLE} is not set)"
