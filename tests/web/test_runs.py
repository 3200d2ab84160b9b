"""The page of runs, and one run's report while it grows."""

import shutil
from pathlib import Path

import httpx
import pytest

from veriloop.config import plan_from
from veriloop.events import Progress, RunEnded, StageStarted
from veriloop.loop import run
from veriloop.store.folder import RunFolder
from veriloop.store.stopping import WHILE_WAITING, asked_to_stop
from veriloop.web.runs import LONG

from ..patience import HOUR, until

PART = {"HX-Request": "true"}


@pytest.fixture
def copied(waiting, tmp_path):
    """A folder with a copy of the run, to change."""
    shutil.copytree(waiting.runs / "digits", tmp_path / "runs" / "digits")
    return tmp_path / "runs"


def test_runs_are_listed_with_how_they_stand(serve, copied):
    (copied / "torn").mkdir()
    (copied / "torn" / "manifest.json").write_text("{")
    shutil.copytree(copied / "digits", copied / "<script>alert(1)<")
    (copied / "a link").symlink_to(copied / "digits")
    page = serve(copied)
    text = httpx.get(f"{page}/runs", timeout=HOUR).text
    assert '<a href="/runs/digits">digits</a>' in text
    assert '<a href="/runs/a%20link">a link</a>' in text
    assert "0 of 1<" in text, "an arm still waits"
    assert "waiting for people&#39;s verdicts on 30 samples" in text
    assert "unreadable" in text
    assert "manifest.json cannot be read" in text
    assert "<script>alert(1)" not in text
    assert "&lt;script&gt;alert(1)&lt;" in text
    part = httpx.get(f"{page}/runs", headers=PART, timeout=HOUR).text
    assert "<html" not in part
    assert '<a href="/runs/digits">digits</a>' in part
    assert httpx.get(f"{page}/runs/torn", timeout=HOUR).status_code == 400
    assert httpx.get(f"{page}/runs/%3Cscript%3Ealert(1)%3C", timeout=HOUR).status_code == 200


def test_a_run_is_shown_again_only_when_it_has_changed(serve, copied):
    page, folder = serve(copied), RunFolder(copied / "digits")
    text = httpx.get(f"{page}/runs/digits", timeout=HOUR).text
    assert "Negative ELBO" in text
    version = text.split("?version=")[1].split('"')[0]
    address = f"{page}/runs/digits?version={version}"
    assert httpx.get(address, headers=PART, timeout=HOUR).status_code == 204
    folder.set_status("stopped", "interrupted")
    changed = httpx.get(address, headers=PART, timeout=HOUR)
    assert changed.status_code == 200
    assert "<html" not in changed.text
    assert "interrupted" in changed.text
    assert f"version={version}" not in changed.text


def test_pages_are_packed_and_rendered_from_the_cache(serve, copied, client):
    page = serve(copied)
    first = client.get(f"{page}/runs/digits")
    assert first.headers["content-encoding"] == "gzip"
    assert client.get(f"{page}/runs/digits").text == first.text
    plain = client.get(f"{page}/runs/digits", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    script = client.get(f"{page}/assets/plotly-basic.js")
    assert "plotly.js (basic" in script.text
    assert script.num_bytes_downloaded < 500_000


def test_the_list_is_sent_again_only_when_a_run_has_changed(serve, copied, client):
    page = serve(copied)
    version = client.get(f"{page}/runs").text.split("?version=")[1].split('"')[0]
    address = f"{page}/runs?version={version}"
    assert client.get(address, headers=PART).status_code == 204
    RunFolder(copied / "digits").set_status("stopped", "interrupted")
    assert "interrupted" in client.get(address, headers=PART).text


def test_notes_and_tags_are_written(serve, copied, client):
    page = serve(copied)
    address = f"{page}/runs/digits/note"
    written = {"note": "<b>mine</b>", "tags": "good, seed 3"}
    assert client.post(address, json=written).status_code == 403, "without the token of a page"
    csrf = client.get(f"{page}/runs").text.split('name="csrf" content="')[1].split('"')[0]
    assert client.post(address, json=written, headers={"X-CSRF-Token": csrf}).status_code == 204
    text = client.get(f"{page}/runs").text
    assert "&lt;b&gt;mine&lt;/b&gt;" in text
    assert "good, seed 3" in text
    refused = client.post(address, json={"tags": "x" * 41}, headers={"X-CSRF-Token": csrf})
    assert refused.status_code == 400
    assert "at most 40 characters" in refused.text
    assert client.post(address, content=b"{", headers={"X-CSRF-Token": csrf}).status_code == 400


def test_a_run_is_stopped_and_resumed_from_its_page(serve, copied, client):
    page, folder = serve(copied), RunFolder(copied / "digits")
    address = f"{page}/runs/digits"
    assert client.post(f"{address}/stop").status_code == 403, "without the token of a page"
    text = client.get(address).text
    assert 'data-steer="/runs/digits/resume"' in text
    headers = {"X-CSRF-Token": text.split('name="csrf" content="')[1].split('"')[0]}
    assert client.post(f"{address}/stop", headers=headers).status_code == 204
    assert (folder.manifest().status, folder.manifest().reason) == ("stopped", WHILE_WAITING)
    refused = client.post(f"{address}/stop", headers=headers)
    assert refused.status_code == 400
    assert "cannot be stopped: got 'stopped'" in refused.text
    with folder.lock():
        folder.set_status("running")
        assert client.post(f"{address}/stop", headers=headers).status_code == 204
        assert asked_to_stop(folder)
        assert "It stops after the round that it is in" in client.get(address).text
        # Another process holds the run: the one that is to go on with it says so, and the page too.
        assert client.post(f"{address}/resume", headers=headers).status_code == 204
        until(lambda: "another process is writing to" in client.get(address).text)
    folder.set_status("stopped", "interrupted")
    assert client.post(f"{address}/resume", headers=headers).status_code == 204
    until(lambda: folder.manifest().status == "waiting")
    assert not asked_to_stop(folder)
    until(lambda: "It goes on" not in client.get(address).text)
    assert "It could not go on" not in client.get(address).text
    folder.set_status("finished")
    assert "cannot be resumed" in client.post(f"{address}/resume", headers=headers).text


def test_runs_are_compared(serve, copied, client):
    shutil.copytree(copied / "digits", copied / "other")
    other = RunFolder(copied / "other")
    config = {**other.manifest().config, "seed": 5, "evaluation_samples": 50}
    other.write_manifest(other.manifest().model_copy(update={"seed": 5, "config": config}))
    page = serve(copied)
    shown = client.get(f"{page}/compare", params={"run": ["digits", "other"]})
    assert shown.status_code == 200
    assert "Last values" in shown.text
    assert "Different settings" in shown.text
    assert '<th scope="col">evaluation_samples</th>' in shown.text
    assert client.get(f"{page}/compare", params={"run": ["digits"]}).status_code == 404
    assert client.get(f"{page}/compare", params={"run": ["digits", "../digits"]}).status_code == 404


def test_what_a_run_is_doing_now(serve, copied):
    page, folder = serve(copied), RunFolder(copied / "digits")

    def now():
        return httpx.get(f"{page}/runs/digits/now", timeout=HOUR).text

    assert now().strip() == ""
    folder.emit(StageStarted(arm="unverified", round=1, stage="fit"))
    folder.emit(Progress(arm="verified", round=1, generated=1500, accepted=12, wanted=30))
    assert "<strong>unverified</strong> round 1, fit" in now()
    assert "<strong>verified</strong> round 1, accepted 12/30 of 1,500" in now()
    folder.emit(RunEnded(status="finished"))
    assert now().strip() == ""


def test_sample_grids_by_round(page):
    def sheet(arm, round_):
        query = {"arm": arm, "round": round_}
        return httpx.get(f"{page}/runs/digits/sheet", params=query, timeout=HOUR)

    assert 'src="data:image/png;base64,' in sheet("unverified", 1).text
    assert 'alt="Grid of 100 samples of unverified, round 1"' in sheet("unverified", 1).text
    assert sheet("verified", 1).text == "no images of verified in round 1"
    assert sheet("nobody", 1).status_code == 404
    assert sheet("verified", "x").status_code == 404


@pytest.mark.parametrize(("name", "sections"), [("digits", ["samples"]), ("text", ["texts"]), ("tiny", [])])
def test_runs_of_an_earlier_version_are_shown(serve, client, name, sections):
    page = serve(Path(__file__).parents[1] / "store" / "format_1")
    assert f"runs/{name}" in client.get(f"{page}/runs").text
    shown = client.get(f"{page}/runs/{name}")
    assert shown.status_code == 200
    assert [id_ for id_ in ("samples", "texts") if f'id="{id_}"' in shown.text] == sections
    sheet = client.get(f"{page}/runs/{name}/sheet", params={"arm": "verified", "round": 2})
    assert ("<img" in sheet.text) == (name == "digits")


TINY = "veriloop.testing.tiny"


def test_a_long_run_is_first_shown_without_its_forecasts(serve, client, tmp_path):
    parts = {"dataset": "TinyData", "learner": "TinyLearner", "verifier": "TinyVerifier"}
    config = {key: f"{TINY}:{name}" for key, name in parts.items()}
    config |= {
        "rounds": LONG + 10,
        "acceptance": {"kind": "top_fraction", "fraction": 0.5},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 20},
        "metrics": [f"{TINY}:TinyMetric"],
        "evaluation_samples": 20,
    }
    run(plan_from(config), tmp_path / "long")
    address = f"{serve(tmp_path)}/runs/long"
    first = client.get(address).text
    assert "forecasts of a long run take some seconds" in first
    assert 'id="forecast"' not in first
    assert "some between them" in first, "the table of rounds has not all of them"
    version = first.split("?version=")[1].split('"')[0]
    then = client.get(f"{address}?version={version}", headers=PART)
    assert then.status_code == 200
    assert 'id="forecast"' in then.text
    assert "take some seconds" not in then.text
    later = then.text.split("?version=")[1].split('"')[0]
    assert client.get(f"{address}?version={later}", headers=PART).status_code == 204
    assert 'id="forecast"' in client.get(address).text
