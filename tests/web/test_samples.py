"""The page that looks into candidates, over HTTP and in a browser."""

import shutil
from pathlib import Path

import httpx
import pytest

from ..patience import HOUR

FORMAT_1 = Path(__file__).parents[1] / "store" / "format_1"


@pytest.fixture(scope="module")
def page(serve):
    return serve(FORMAT_1)


@pytest.mark.parametrize("name", ["digits", "text", "tiny"])
def test_kept_samples_are_shown_in_their_form(page, name):
    shown = httpx.get(f"{page}/runs/{name}/samples", timeout=HOUR)
    assert shown.status_code == 200
    assert "stored candidates of verified, round" in shown.text
    assert ("<img" in shown.text) == (name == "digits")
    assert ('class="panel candidate"' in shown.text) == (name == "text")
    assert ("<table" in shown.text) == (name == "tiny")
    assert ('class="scatter"' in shown.text) == (name == "tiny")


def test_what_is_asked_for_is_checked(page):
    address = f"{page}/runs/tiny/samples"
    assert httpx.get(address, params={"arm": "nobody"}, timeout=HOUR).status_code == 404
    for name, value in (("low", "nan"), ("order", "odd"), ("outcome", "x"), ("page", "-1"), ("round", "x")):
        refused = httpx.get(address, params={name: value}, timeout=HOUR)
        assert refused.status_code == 400
        assert refused.text.startswith(f"{name}: ")
    nothing = httpx.get(address, params={"round": 9}, timeout=HOUR)
    assert "no stored candidates of round 9" in nothing.text
    some = httpx.get(address, params={"label": "1", "low": "", "high": "1e9"}, timeout=HOUR)
    assert some.status_code == 200


@pytest.mark.slow
def test_a_choice_shows_at_once(serve, open_page, tmp_path):
    shutil.copytree(FORMAT_1 / "tiny", tmp_path / "tiny")
    view = open_page(f"{serve(tmp_path)}/runs/tiny/samples?round=1")
    view.wait_for_selector("tbody tr")
    view.select_option("select[name=order]", "worst")
    view.wait_for_url("**order=worst**")
    view.wait_for_selector("tbody tr")
    assert view.input_value("select[name=round]") == "1"
