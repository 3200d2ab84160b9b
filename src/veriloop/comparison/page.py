"""The page of a comparison: results, figures and tables in one HTML file."""

import base64
import csv
import io
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from .figures import drawn

Cells = Sequence[Sequence[str]]


class Shown(NamedTuple):
    """A figure on the page, with a description."""

    words: str
    figure: Figure


def experiment_page(
    name: str,
    about: str,
    words: Sequence[str],
    figures: Mapping[str, Shown],
    tables: Mapping[str, Cells],
    back: str | None = None,
) -> str:
    """Return HTML that opens without a network.

    Args:
        name: Name of the experiment.
        about: Description in one line.
        words: Results in sentences.
        figures: Figures by heading.
        tables: Tables by heading; the first row of each is its header.
        back: Address of the list of runs, if the page is one of several.
    """
    environment = Environment(
        loader=PackageLoader("veriloop.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = {
        heading: {
            "words": shown.words,
            "source": _address("image/svg+xml", drawn(shown.figure, ".svg")),
            "png": _address("image/png", drawn(shown.figure, ".png")),
        }
        for heading, shown in figures.items()
    }
    template = environment.get_template("experiment.html.j2")
    numbers = {heading: _address("text/csv", _csv(cells)) for heading, cells in tables.items()}
    return template.render(
        name=name, about=about, words=words, pictures=pictures, tables=tables, numbers=numbers, back=back
    )


def _address(kind: str, content: bytes) -> str:
    """Return a file as the address of a link, so that the page holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _csv(cells: Cells) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(cells)
    return text.getvalue().encode()


def markdown(cells: Cells) -> str:
    """Return a table in Markdown; the first row is its header."""
    head, *rows = ("| " + " | ".join(row) + " |" for row in cells)
    return "\n".join([head, "|" + "---|" * len(cells[0]), *rows]) + "\n"
