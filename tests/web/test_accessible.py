"""Every page in both themes, looked at by axe-core: nothing that people who see or hear badly cannot use."""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

from veriloop.report.html import write_report
from veriloop.store.folder import RunFolder

from ..patience import until

pytestmark = pytest.mark.slow

SCHEMES = ("light", "dark")


@pytest.fixture(scope="session")
def axe() -> str:
    """The script of axe-core."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-playwright-python is not installed")
    return (Path(found.origin).parent / "axe.min.js").read_text()


def _violations(page: Any, axe: str) -> list[str]:
    """What axe has to say of a page as it stands: the rule, and where it is broken."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then((r) => r.violations)")
    return [
        f"{rule['id']}: {node['html'][:200]} ({'; '.join(c['message'] for c in node['any'] + node['all'])})"
        for rule in found
        for node in rule["nodes"]
    ]


def _open_all(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")


def _in_both(page: Any, axe: str) -> list[str]:
    found: list[str] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        found += [f"{scheme}: {line}" for line in _violations(page, axe)]
    return found


@pytest.mark.parametrize(
    ("path", "ready"),
    [
        ("/runs", "#runs tbody th a"),
        ("/runs/digits", ".js-plotly-plot .js-line, .js-plotly-plot .points path"),
        ("/judge", "form button"),
        ("QUEUE?annotator=viewer", "#picture img"),
        ("/people", "h1"),
        ("/explore", "#phase .heatmaplayer image, #course .js-line"),
    ],
)
def test_no_page_breaks_a_rule_of_axe(page, queue, open_page, axe, path, ready):
    view = open_page(path.replace("QUEUE", queue) if path.startswith("QUEUE") else page + path)
    view.wait_for_selector(ready, state="attached")
    _open_all(view)
    assert _in_both(view, axe) == []


@pytest.mark.parametrize("name", ["digits", "text", "tiny"])
def test_the_page_of_candidates_breaks_none(serve, open_page, axe, name):
    view = open_page(f"{serve(Path(__file__).parents[1] / 'store' / 'format_1')}/runs/{name}/samples")
    view.wait_for_selector("#look")
    assert _in_both(view, axe) == []


def test_the_page_of_people_breaks_none(judged, serve, open_page, axe):
    view = open_page(f"{serve(judged)}/people")
    view.wait_for_selector("table.people")
    assert _in_both(view, axe) == []


@pytest.mark.parametrize("path", ["/runs", "/runs/nothing"])
def test_a_page_that_refuses_breaks_none(waiting, serve, open_page, axe, path):
    token = None if path.endswith("nothing") else "open sesame"
    view = open_page(serve(waiting.runs, token=token) + path)
    view.wait_for_selector("h1")
    assert _in_both(view, axe) == []
    open_page.noise.clear()  # the browser's own line about the status
    if token:
        view.fill("#token", token)
        view.keyboard.press("Enter")
        view.wait_for_selector("#runs")
        assert token not in view.url


def test_the_card_in_all_its_states_breaks_none(queue, open_page, axe):
    view = open_page(f"{queue}?annotator=looker")
    view.wait_for_selector("#picture img")
    view.keyboard.press("g")
    until(lambda: view.locator("#grid button").count() > 1)
    view.locator("#grid button").first.click()
    view.keyboard.press("l")
    view.wait_for_selector("#mine *")
    assert _in_both(view, axe) == []


def test_report_and_comparison_break_none(waiting, serve, open_page, axe, tmp_path):
    runs = tmp_path / "runs"
    shutil.copytree(waiting.runs / "digits", runs / "digits")
    shutil.copytree(waiting.runs / "digits", runs / "other")
    other = RunFolder(runs / "other")
    config = {**other.manifest().config, "seed": 5, "evaluation_samples": 50}
    other.write_manifest(other.manifest().model_copy(update={"seed": 5, "config": config}))
    report = write_report(RunFolder(runs / "digits"))
    view = open_page(report.as_uri())
    view.wait_for_selector(".js-plotly-plot", state="attached")
    _open_all(view)
    assert _in_both(view, axe) == []
    view = open_page(f"{serve(runs)}/compare?run=digits&run=other")
    view.wait_for_selector("table")
    assert _in_both(view, axe) == []
    with view.expect_download() as numbers:
        view.locator("a[download$='.csv']").first.click()
    assert numbers.value.path().read_text().count(",") > 5
    with view.expect_download() as picture:
        view.locator("a[download$='.png']").first.click()
    assert picture.value.path().read_bytes().startswith(b"\x89PNG")
    view.get_by_role("link", name="Runs").click()
    view.wait_for_selector("#runs tbody th a")
