"""The site builds without a warning, opens from files, searches, and asks nobody for anything."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ..patience import HOUR, until
from .blocks import ROOT, TUTORIALS

pytestmark = pytest.mark.slow

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PAGES = [
    "index",
    "tutorials/index",
    "api/index",
    "api/learners",
    "project/log",
    "results/mnist",
    "recipes/index",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def page(site: Path) -> Iterator[Any]:
    """A page of a real browser that fails the test when the site complains, or asks another server."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    noise: list[str] = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page()
        page.set_default_timeout(1000 * HOUR)  # milliseconds
        page.on("console", lambda message: noise.append(message.text))
        page.on("pageerror", lambda error: noise.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith("file:") else noise.append(asked.url))
        yield page
        browser.close()
    assert noise == []


def open_(page: Any, site: Path, name: str) -> None:
    page.goto((site / f"{name}.html").as_uri())


def test_the_search_finds_a_page_without_a_server(page, site: Path):
    open_(page, site, "index")
    box, found = page.locator(".md-search__input"), page.locator(".md-search-result__item")

    def ask_again() -> None:
        # What is typed before the page's script has started is lost; the script listens to keys.
        box.fill("")
        box.press_sequentially("abstention")
        page.wait_for_timeout(500)

    until(found.count, pause=ask_again)
    assert "Glossary" in " ".join(found.all_inner_texts())


@pytest.mark.parametrize("script", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_shows_its_code_and_what_it_printed(script: Path, page, site: Path):
    open_(page, site, f"tutorials/{script.stem}")
    heading = script.read_text().partition("# # ")[2].partition("\n")[0]
    assert page.locator("h1").inner_text().startswith(heading)
    assert page.locator("pre code").count() > 3
    assert page.locator(".output").count() > 2
    assert page.locator(f"a[download][href='{script.name}']").count() == 1


def test_there_are_eight_tutorials():
    assert len(TUTORIALS) >= 8


@pytest.mark.parametrize("name", PAGES)
def test_pages_open_with_their_pictures(name: str, page, site: Path):
    open_(page, site, name)
    assert page.locator("h1").count() == 1
    broken = "Array.from(document.images).filter(image => !image.complete || image.naturalWidth === 0).length"
    assert page.evaluate(broken) == 0


def test_the_api_pages_have_all_parts(site: Path):
    import veriloop as vl

    for family in (vl.datasets, vl.learners, vl.verifiers, vl.metrics, vl.rules, vl.executors, vl.trackers):
        name = family.__name__.rpartition(".")[2]
        shown = (site / "api" / f"{name}.html").read_text()
        assert [part for part in family.__all__ if f'id="veriloop.{name}.{part}"' not in shown] == []


def test_the_front_door_is_documented_whole(site: Path):
    from types import ModuleType

    import veriloop as vl

    shown = "".join((site / "api" / f"{name}.html").read_text() for name in ("index", "bases"))
    names = [name for name in vl.__all__ if not isinstance(getattr(vl, name), ModuleType) and name[0] != "_"]
    assert [name for name in names if f'id="veriloop.{name}"' not in shown] == []
