"""The pages in a real browser: people judge by keyboard, everything draws, nothing complains."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.store import Store

from ..patience import until

pytestmark = pytest.mark.slow


def _begin(open_page, server, name):
    """Go to the queue as a person does: by the page that lists it, with a name."""
    page = open_page(f"{server}/judge")
    page.fill("input[name=annotator]", name)
    page.keyboard.press("Enter")
    page.wait_for_selector("#card:not([hidden]), #over:not([hidden])")
    return page


def _until(page, condition):
    """Wait until a condition holds. (Playwright's own way evaluates strings in the page, which we forbid.)"""
    until(lambda: page.evaluate(condition), pause=lambda: page.wait_for_timeout(30))


KEY = "document.getElementById('card').hidden ? '' : document.getElementById('card').dataset.key"
SHOWN = f"document.getElementById('over').hidden ? ({KEY}) : 'over'"


def _is_good(key):
    return int(key, 16) % 3 > 0


def _judge(page, most=10_000):
    """Judge by keyboard until the end, or up to a number; return what was judged, in order."""
    keys: list[str] = []
    while len(keys) < most and (key := page.evaluate(SHOWN)) != "over":
        if key and key not in keys:
            page.keyboard.press("y" if _is_good(key) else "n")
            keys.append(key)
        else:
            page.wait_for_timeout(10)
    return keys


def _confirmed(page):
    return int(page.get_attribute("#tally", "data-judged"))


def test_a_person_judges_200_digits_and_the_run_trains_on_those_they_accepted(people, serve, open_page):
    out = people.run(200, known=10)
    page = _begin(open_page, serve(people.runs), "Ann <b>Example</b>")
    first = page.evaluate(KEY)
    page.keyboard.press("n" if _is_good(first) else "y")  # a slip
    _until(page, f"{KEY} !== '{first}'")
    _until(page, "document.getElementById('tally').dataset.judged === '1'")
    page.keyboard.press("u")
    _until(page, f"{KEY} === '{first}'")
    judged = _judge(page)
    page.wait_for_selector("#over:not([hidden])")
    assert "Nothing is left for you to judge" in page.inner_text("#over")
    known = len(judged) - 200
    assert f"Among your samples were {known} known ones" in page.inner_text("#over")
    assert len(set(judged)) == len(judged)
    assert _confirmed(page) == len(judged)
    posted = [j for j in Store(people.store).everything() if j.place["arm"] == "verified"]
    assert len(posted) == 200
    assert {j.key: dict(j.verdicts) for j in posted} == {
        j.key: {"Ann <b>Example</b>": "accept" if _is_good(j.key) else "reject"} for j in posted
    }
    people.run(200, known=10)
    folder = RunFolder(out)
    assert folder.manifest().status == "finished"
    accepted = {j.key for j in posted if _is_good(j.key)}
    assert set(content_keys(folder.kept(1, "verified"))) == accepted
    (record,) = [r for r in folder.records() if (r.arm, r.round) == ("verified", 1)]
    assert record.trained_on == record.counts.kept == len(accepted)
    assert record.counts.rejected == 200 - len(accepted)


def test_two_people_at_once_lose_and_double_nothing(people, serve, open_page):
    people.run(24, known=0)
    server = serve(people.runs)
    ann, bob = _begin(open_page, server, "Ann"), _begin(open_page, server, "Bob")
    assert ann.evaluate(KEY) != bob.evaluate(KEY)
    judged: dict[str, list[str]] = {"Ann": [], "Bob": []}
    for _ in range(30):
        for name, page in (("Ann", ann), ("Bob", bob)):
            judged[name] += _judge(page, 1)
    for name, page in (("Ann", ann), ("Bob", bob)):
        _until(page, f"document.getElementById('tally').dataset.judged === '{len(judged[name])}'")
    assert len(judged["Ann"]) > 0 < len(judged["Bob"])
    assert sorted(judged["Ann"] + judged["Bob"]) == sorted(j.key for j in Store(people.store).everything())
    assert all(
        list(j.verdicts) == [name for name in judged if j.key in judged[name]]
        for j in Store(people.store).everything()
    )


@contextmanager
def _served(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a separate process, and its address."""
    command = [sys.executable, "-c", "from veriloop.cli.main import main; main()"]
    process = subprocess.Popen(
        [*command, "serve", folder, "--port", str(port)], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    with process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+:\d+", process.stdout.readline())
            assert found is not None
            yield process, found[0]
        finally:
            process.kill()


def test_a_killed_server_loses_nothing_that_the_page_had_confirmed(people, open_page):
    people.run(30, known=0)
    with _served(people.runs, 0) as (process, server):
        page = _begin(open_page, server, "Ann")
        judged = _judge(page, 10)
        _until(page, "Number(document.getElementById('tally').dataset.judged) >= 7")
        process.send_signal(signal.SIGKILL)
        process.wait()
    confirmed = _confirmed(page)
    assert confirmed >= 7
    kept = [j.key for j in Store(people.store).everything() if j.verdicts]
    assert set(judged[:confirmed]) <= set(kept)
    judged += _judge(page, 1)
    _until(page, "document.getElementById('note').textContent.includes('not saved yet')")
    with _served(people.runs, int(server.rpartition(":")[2])) as (_, again):
        assert again == server
        _until(page, f"document.getElementById('tally').dataset.judged === '{len(judged)}'")
        judged += _judge(page)
        page.wait_for_selector("#over:not([hidden])")
    assert len(judged) == len(set(judged)) == 30
    assert all(
        dict(j.verdicts) == {"Ann": "accept" if _is_good(j.key) else "reject"}
        for j in Store(people.store).everything()
    )
    # Only the browser itself may report that the server was gone.
    assert all("Failed to load resource" in line for line in open_page.noise)
    open_page.noise.clear()


def test_text_of_a_sample_is_shown_as_text(people, serve, open_page):
    people.run(3, known=0)
    hostile = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    Store(people.store).post(Samples(text=[hostile]), None, wanted=1, queue=9)
    page = _begin(open_page, serve(people.runs), "Ann")
    _judge(page, 3)
    assert page.inner_text("#words dd") == hostile
    assert page.title() == "Judge · veriloop"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 380)])
def test_every_page_draws_quietly_and_fits(page, queue, open_page, scheme, width):
    look: dict[str, Any] = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    shown = {
        f"{page}/runs": "#runs tbody th a",
        f"{page}/runs/digits": ".js-plotly-plot .js-line, .js-plotly-plot .points path",
        f"{page}/judge": "form button",
        f"{queue}?annotator=viewer": "#picture img",
        f"{page}/explore": "#phase .heatmaplayer image, #course .js-line",
    }
    for address, selector in shown.items():
        view = open_page(address, **look)
        view.wait_for_selector(selector, state="attached")
        assert view.evaluate("document.documentElement.scrollWidth") <= width, address
        dark = view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 22, 26)"
        assert dark == (scheme == "dark")
        unnamed = view.evaluate(
            "[...document.querySelectorAll('button, input, select, a')].filter("
            "(e) => !(e.textContent.trim() || e.labels?.[0]?.textContent.trim() || e.ariaLabel)).length"
        )
        assert unnamed == 0, address
        view.close()


def test_the_explorer_follows_its_sliders(page, open_page):
    view = open_page(f"{page}/explore?bias=0.2&radius=1.5&n=1000&rounds=40")
    _until(view, "document.querySelector('main').dataset.regime === 'gain_then_reversal'")
    assert "round 6 is the best" in view.inner_text("#answer")
    assert "after round 6, the best" in view.inner_text("#best")
    view.focus("#bias")
    view.keyboard.press("End")
    _until(view, "document.querySelector('main').dataset.regime === 'harmful'")
    assert "bias=1.5" in view.url
    view.keyboard.press("Home")
    _until(view, "document.querySelector('main').dataset.regime === 'gain_then_plateau'")
    box = view.locator("#phase").bounding_box()
    view.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    _until(view, "document.getElementById('bias').value !== '0'")


def test_a_run_is_followed_as_it_grows(people, serve, open_page):
    out = people.run(3, known=0)
    view = open_page(f"{serve(people.runs)}/runs/digits")
    view.wait_for_selector(".status.waiting")
    view.wait_for_selector("#sheet img")
    RunFolder(out).set_status("stopped", "interrupted")
    view.wait_for_selector(".status.stopped")
    view.wait_for_selector(".js-plotly-plot .js-line", state="attached")


def test_runs_are_sorted_filtered_grouped_and_chosen(waiting, serve, open_page, tmp_path):
    runs = tmp_path / "runs"
    for name, seed in (("beta", 3), ("alpha", 12), ("gamma", 7)):
        shutil.copytree(waiting.runs / "digits", runs / name)
        folder = RunFolder(runs / name)
        manifest = folder.manifest()
        config = manifest.config | {"seed": seed} | ({"rounds": 9} if name == "gamma" else {})
        folder.write_manifest(manifest.model_copy(update={"seed": seed, "config": config}))
    view = open_page(f"{serve(runs)}/runs")

    def names():
        return view.locator(".runs tbody tr[data-group]:visible th a").all_inner_texts()

    assert names() == ["alpha", "beta", "gamma"]
    view.click("th[data-column=seed] button")
    assert names() == ["beta", "gamma", "alpha"], "by number, not by text"
    view.click("th[data-column=seed] button")
    assert names() == ["alpha", "gamma", "beta"]
    view.check("#group")
    assert names() == ["alpha", "beta", "gamma"]
    assert view.inner_text(".group-head") == "2 runs that differ by seed only"
    view.fill("#filter", "alp")
    assert names() == ["alpha"]
    view.fill("#filter", "")
    assert view.is_disabled("#compare")
    view.check("[aria-label='choose beta']")
    view.check("[aria-label='choose alpha']")
    RunFolder(runs / "gamma").set_status("stopped", "interrupted")
    view.wait_for_selector(".status.stopped")
    assert names() == ["alpha", "beta", "gamma"], "order and choice survive new rows"
    view.click("#compare")
    view.wait_for_selector("h2:has-text('Last values')")
    assert "run=beta&run=alpha" in view.url
