"""Results that show themselves: a line in a terminal, a figure, a table in a notebook."""

from importlib import import_module
from typing import Any

NOTEBOOK = "veriloop.report.notebook"
"""The module that draws results. It is named and not imported: advice needs neither pandas nor Plotly."""


class Showing:
    """A result with a figure and a table, which `veriloop.report.notebook` makes when they are asked for."""

    def plot(self) -> Any:
        """The result as a Plotly figure, which shows itself in a notebook."""
        return import_module(NOTEBOOK).figure(self)

    def _repr_html_(self) -> str:
        return import_module(NOTEBOOK).html(self)


def in_short(name: str, *words: str, most: int = 240) -> str:
    """A ``repr`` of at most ``most`` characters: what it is, and what it says."""
    text = " ".join(" ".join(words).split())
    return f"<{name}: {text if len(text) <= most else text[: most - 3] + '...'}>"
