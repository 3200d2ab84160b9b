"""Results that display themselves: a line in a terminal, a figure, a table in a notebook."""

from importlib import import_module
from typing import Any

from .extras import available, explained

NOTEBOOK = "veriloop.report.notebook"
"""Module that draws results, given by name so that using results needs neither pandas nor Plotly."""


class Showing:
    """A result with a figure and a table, which `veriloop.report.notebook` makes on request."""

    def plot(self) -> Any:
        """Return the result as a Plotly figure, which a notebook displays."""
        with explained():
            return import_module(NOTEBOOK).figure(self)

    def _repr_html_(self) -> str | None:
        # None makes a notebook show the text.
        return import_module(NOTEBOOK).html(self) if drawable() else None


def drawable() -> bool:
    """Whether what draws is installed, see the extra ``report``."""
    return available("plotly", "matplotlib")


def in_short(name: str, *words: str, most: int = 240) -> str:
    """Return a ``repr`` of at most ``most`` characters."""
    text = " ".join(" ".join(words).split())
    return f"<{name}: {text if len(text) <= most else text[: most - 3] + '...'}>"
