from pathlib import Path

import pytest
from matplotlib.figure import Figure

from veriloop.comparison.figures import SUFFIXES, save_figure
from veriloop.errors import ConfigError


def figure() -> Figure:
    drawn = Figure()
    drawn.add_subplot().plot([1, 2], label="$k$")
    return drawn


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".PNG"])
def test_equal_figures_are_equal_files(tmp_path: Path, suffix: str) -> None:
    first, second = (tmp_path / f"{name}{suffix}" for name in ("first", "second"))
    save_figure(figure(), first)
    save_figure(figure(), second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("path", "message"),
    [("x.gif", "cannot draw to"), ("x", "cannot draw to"), ("no/x.png", "no such folder")],
)
def test_what_cannot_be_written_is_refused(tmp_path: Path, path: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        save_figure(figure(), tmp_path / path)
