"""Every file that a document links to is there, and every figure is shown somewhere."""

import re
from pathlib import Path

import pytest

from .blocks import PAGES, ROOT, TUTORIALS

ROOT_PAGES = [ROOT / name for name in ("CHANGELOG.md", "LOG.md", "SECURITY.md", "AGENTS.md")]


@pytest.mark.parametrize(
    "page", [*PAGES, *ROOT_PAGES, *TUTORIALS], ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_links_lead_to_files(page: Path):
    for target in re.findall(r"\]\((?!http)([^)#\s]+)", page.read_text()):
        assert (page.parent / target).exists() or made(page.parent / target), f"{page.name} links to {target}"


def made(target: Path) -> bool:
    """Whether the site makes this page of a file of the project."""
    path = Path(target).resolve().relative_to(ROOT / "docs")
    if path.parts[0] == "project":
        return (ROOT / path.with_suffix(".md").name.upper().replace(".MD", ".md")).exists()
    if path.parts[0] == "recipes":
        return (ROOT / path.with_suffix("") / "README.md").exists()
    return (ROOT / "docs" / path.with_suffix(".py")).exists()


def test_every_figure_is_shown():
    text = "".join(page.read_text() for page in [*PAGES, *ROOT_PAGES])
    assert [f.name for f in sorted((ROOT / "docs" / "figures").iterdir()) if f.name not in text] == []
