"""The card on which people judge, in a real browser: what is large, what scrolls, what can be corrected."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from veriloop.cards import Brief, Choice, Example
from veriloop.samples import Samples
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.store import Store, Tally

from ..patience import until
from .conftest import write_run

pytestmark = pytest.mark.slow

CODE = "def add(a, b):\n    return a + b\n\n\nprint(add(1, 2))"
LONG = "A sentence of a long summary. " * 200


class Asked:
    """A run that asks about some samples; its store and its folder."""

    def __init__(self, folder: Path, brief: Brief | None = None) -> None:
        self.url, self.runs = f"sqlite:///{folder}/verdicts.db", folder / "runs"
        write_run(self.runs / "some", self.url, brief)

    def post(self, samples: Samples) -> list[str]:
        Store(self.url).post(
            samples, None, wanted=1, queue=500, show=[n for n in samples if n != "reference"]
        )
        return content_keys(samples)


@pytest.fixture
def texts(tmp_path: Path) -> Iterator[Asked]:
    yes = Choice(key="j", label="Faithful")
    brief = Brief(
        question="Is the summary <b>faithful</b>?",
        guidelines="Every fact must be in the document.\n\nStyle does not matter.",
        judged=("summary",),
        examples=(Example(answer="reject", words={"summary": "Pigs fly."}, why="nobody said so"),),
        choices={**Brief().choices, "accept": yes},
    )
    asked = Asked(tmp_path, brief)
    yield asked
    open_database(asked.url).close()


def _open(open_page, server, name="Ann", **look):
    page = open_page(f"{server}/judge", **look)
    page.fill("input[name=annotator]", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#card:not([hidden]), #over:not([hidden])")
    return page


def _judged(page, number):
    until(lambda: page.get_attribute("#tally", "data-judged") == str(number))


@pytest.mark.parametrize("width", [1200, 380])
def test_the_text_to_judge_is_the_largest_and_scrolls_by_keyboard(texts, serve, open_page, width):
    keys = texts.post(
        Samples(document=["About sums. " * 9, "About it."], summary=[CODE, LONG], reference=["secret"] * 2)
    )
    page = _open(open_page, serve(texts.runs), viewport={"width": width, "height": 800})
    assert page.inner_text(".question") == "Is the summary <b>faithful</b>?"
    page.click("summary")
    assert "Every fact must be in the document." in page.inner_text(".brief")
    assert "No: nobody said so" in page.inner_text(".example")
    assert "secret" not in page.content(), "a reference is hidden"
    assert page.inner_text("dd.judged").splitlines() == CODE.splitlines(), "code keeps its lines"
    sizes = page.evaluate(
        "[...document.querySelectorAll('#card *')]"
        ".map((e) => [parseFloat(getComputedStyle(e).fontSize), e.className])"
    )
    assert "judged" in max(sizes)[1]
    page.keyboard.press("j")
    _judged(page, 1)
    assert Store(texts.url).tallies(keys)[keys[0]] == Tally(accept=1)
    until(lambda: page.get_attribute("#card", "data-key") == keys[1])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("PageDown")
    until(lambda: page.evaluate("document.getElementById('card').scrollTop") > 100)
    page.keyboard.press("PageUp")
    until(lambda: page.evaluate("document.getElementById('card').scrollTop") == 0)


def test_a_comment_goes_with_a_verdict_and_both_can_be_looked_at_and_corrected(texts, serve, open_page):
    keys = texts.post(Samples(document=["a", "b"], summary=["c", "d"]))
    page = _open(open_page, serve(texts.runs))
    page.keyboard.press("c")
    page.keyboard.type("no, just no")  # letters that are answers elsewhere
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    _judged(page, 1)
    page.keyboard.press("l")
    page.wait_for_selector("#mine li")
    assert page.inner_text("#mine q") == "no, just no"
    assert page.input_value("#mine select") == "reject"
    page.select_option("#mine select", "accept")
    until(lambda: Store(texts.url).tallies(keys)[keys[0]] == Tally(accept=1))
    until(lambda: page.inner_text("#note") == "Corrected.")
    assert page.get_attribute("#tally", "data-judged") == "1"


def test_a_grid_accepts_all_but_the_chosen(tmp_path, serve, open_page):
    asked = Asked(tmp_path)
    pixels = np.random.default_rng(0).integers(17, size=(15, 8, 8)).astype(np.uint8)
    keys = asked.post(Samples(pixels=pixels, label=np.arange(15) % 10))
    page = _open(open_page, serve(asked.runs))
    page.keyboard.press("g")
    until(lambda: page.locator("#grid button").count() == 12)
    for key in (keys[2], keys[5]):
        page.click(f"#grid [data-key='{key}']")
    assert page.locator("#grid [aria-pressed=true]").count() == 2
    page.click("#accept-rest")
    _judged(page, 12)
    until(lambda: page.locator("#grid button").count() == 3)
    page.click("#accept-rest")
    page.wait_for_selector("#over:not([hidden])")
    said = {key: tally.accept for key, tally in Store(asked.url).tallies(keys).items()}
    assert said == {key: int(key not in (keys[2], keys[5])) for key in keys}
    open_database(asked.url).close()
