"""The report in a real browser: it draws, is quiet, loads nothing, and fits a phone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
from playwright.sync_api import Browser, sync_playwright

from veriloop.report.html import write_report
from veriloop.store.folder import RunFolder

from ..patience import HOUR, until

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
DRAWN = """() => [...document.querySelectorAll('.canvas')].map(
    (canvas) => canvas.querySelectorAll('.js-line, .bars path, .points path').length)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 380)])
def test_it_draws_quietly_and_fits(
    browser: Browser, report: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True)
    page = context.new_page()
    page.set_default_timeout(1000 * HOUR)
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url[:100]))
    page.goto(report.as_uri())
    plots = page.locator(".js-plotly-plot")
    plots.nth(5).wait_for()
    assert plots.count() == 6, "those in the fold are drawn when it is opened"
    page.click("#rest > summary")
    plots.nth(7).wait_for()
    drawn = page.evaluate(DRAWN)
    assert len(drawn) == 8
    assert all(count > 0 for count in drawn)
    assert noise == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page_is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
    assert page_is_dark == (scheme == "dark")
    context.close()


def test_figures_follow_the_reader_from_light_to_dark(browser: Browser, report: Path) -> None:
    page = browser.new_page(color_scheme="light")
    page.set_default_timeout(1000 * HOUR)
    page.goto(report.as_uri())
    tick = "getComputedStyle(document.querySelector('.xtick text')).fill"
    page.wait_for_selector(".xtick text")
    light = page.evaluate(tick)
    page.emulate_media(color_scheme="dark")
    until(lambda: page.evaluate(tick) != light, pause=lambda: page.wait_for_timeout(20))
    page.close()


def test_curves_are_zoomed_put_on_a_log_axis_and_saved(browser: Browser, report: Path) -> None:
    page = browser.new_page()
    page.set_default_timeout(1000 * HOUR)
    page.goto(report.as_uri())
    first = page.locator(".canvas").first
    first.locator(".xtick text").first.wait_for()
    first.hover()
    first.locator('[data-title="Logarithmic axis, and back"]').click()
    until(
        lambda: first.evaluate("c => c._fullLayout.yaxis.type") == "log",
        pause=lambda: page.wait_for_timeout(20),
    )
    with page.expect_download() as saved:
        first.locator('[data-title="Download the numbers as CSV"]').click()
    lines = Path(saved.value.path()).read_text().splitlines()
    assert lines[0] == '"series","x","y"'
    assert sum(line.startswith('"verified",') for line in lines) == 7
    with page.expect_download() as picture:
        first.locator(".modebar-btn[data-attr], .modebar-btn").nth(3).click()
    assert Path(picture.value.path()).read_bytes().startswith(b"\x89PNG")
    page.close()


def test_the_answer_is_on_top_and_the_file_is_small(browser: Browser, report: Path) -> None:
    assert report.stat().st_size < 1_000_000
    page = browser.new_page()
    page.set_default_timeout(1000 * HOUR)
    page.goto(report.as_uri())
    blocks = page.evaluate(
        """() => {
            const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
            const found = [];
            while (walker.nextNode()) found.push(walker.currentNode.data.trim());
            return found.filter(Boolean).slice(0, 40);
        }"""
    )
    line = next(block for block in blocks if "is better than" in block)
    assert "verified" in line
    assert "unverified" in line
    answer, curves, samples = (
        page.evaluate("at => document.querySelector(at).getBoundingClientRect().y", at)
        for at in (".answer", "#curves", "#samples")
    )
    assert answer < 300
    assert curves < samples
    assert not page.locator("#counts").is_visible()
    page.close()


def test_a_young_run_has_a_quiet_page(browser: Browser, empty_run: RunFolder) -> None:
    page = browser.new_page()
    page.set_default_timeout(1000 * HOUR)
    noise: list[str] = []
    page.on("console", lambda message: noise.append(message.text))
    page.on("pageerror", lambda error: noise.append(str(error)))
    page.goto(write_report(empty_run).as_uri())
    assert noise == []
    assert "No round has finished yet." in page.inner_text("main")
    page.close()
