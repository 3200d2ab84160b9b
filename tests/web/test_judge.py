"""Judging over HTTP: what is handed out, what is kept, and what is refused."""

import shutil

import numpy as np
import pytest

from veriloop.cards import ArmCard, RunCard
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.store import Store, Tally


@pytest.fixture
def visitor(page, client):
    """A client as a page of ours would be."""
    text = client.get(f"{page}/judge").text
    client.headers["X-CSRF-Token"] = text.split('name="csrf" content="')[1].split('"')[0]
    return client


def _take(visitor, queue, annotator, *holding):
    return visitor.get(f"{queue}/samples", params={"annotator": annotator, "holding": holding}).json()


def test_the_queues_are_listed_with_what_waits(page, client):
    text = client.get(f"{page}/judge").text
    assert "digits" in text
    assert "30 samples wait for a verdict." in text


def test_samples_come_with_their_picture_and_label(queue, visitor):
    answer = _take(visitor, queue, "reader")
    assert len(answer["tasks"]) == 4
    to_go = answer["progress"]["left"]
    assert 30 <= to_go <= 34, "known samples are to go, too"
    assert answer["progress"] == {"judged": 0, "left": to_go, "waiting": to_go}
    assert answer["agreement"] is None
    for task in answer["tasks"]:
        assert set(task) == {"key", "words", "picture", "drawn"}, "nothing tells a known sample from another"
        assert task["words"]["label"] in "0123456789"
        assert task["picture"].startswith("data:image/png;base64,")
    held = [task["key"] for task in answer["tasks"]]
    assert [t["key"] for t in _take(visitor, queue, "reader")["tasks"]] == held, "a reload shows them again"
    assert _take(visitor, queue, "reader", *held)["tasks"] == []
    (more,) = _take(visitor, queue, "reader", *held[1:])["tasks"]
    assert more["key"] == held[0]


def test_a_verdict_is_in_the_store_when_the_answer_is_here(waiting, queue, visitor):
    first, second, *_ = (task["key"] for task in _take(visitor, queue, "writer")["tasks"])
    body = {"annotator": " writer ", "key": first, "answer": "reject", "holding": [second]}
    answer = visitor.post(f"{queue}/verdicts", json=body).json()
    assert Store(waiting.store).tallies([first])[first] == Tally(reject=1)
    assert answer["progress"]["judged"] == 1
    assert first not in [task["key"] for task in answer["tasks"]]
    undone = visitor.post(f"{queue}/undo", json={"annotator": "writer", "holding": [second]}).json()
    assert undone["undone"]["key"] == first
    assert undone["progress"]["judged"] == 0
    assert Store(waiting.store).tallies([first])[first] == Tally()
    nothing = visitor.post(f"{queue}/undo", json={"annotator": "writer"}).json()
    assert nothing["undone"] is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"annotator": "", "key": "0" * 64, "answer": "accept"}, "annotator: "),
        ({"annotator": "a\nb", "key": "0" * 64, "answer": "accept"}, "annotator: "),
        ({"annotator": "ann", "key": "short", "answer": "accept"}, "key: "),
        ({"annotator": "ann", "key": "0" * 64, "answer": "maybe"}, "answer: "),
        ({"annotator": "ann", "key": "0" * 64}, "answer: Field required"),
        ([], "request: "),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(queue, visitor, body, problem):
    refused = visitor.post(f"{queue}/verdicts", json=body)
    assert refused.status_code == 400
    assert refused.text.startswith(problem)
    assert refused.text.count("\n") == 1


def test_large_bodies_and_unknown_samples_are_refused(queue, visitor):
    assert visitor.post(f"{queue}/verdicts", content=b"x" * 200_000).status_code == 413
    body = {"annotator": "ann", "key": "0" * 64, "answer": "accept"}
    unknown = visitor.post(f"{queue}/verdicts", json=body)
    assert (unknown.status_code, unknown.text.startswith("no such sample")) == (404, True)


def test_a_store_that_is_not_there_is_explained(people, serve, client):
    people.run(5, known=0)
    store = people.store.removeprefix("sqlite:///")
    page = serve(people.runs)
    asked = Samples(pixels=np.zeros((1, 8, 8), np.uint8), label=np.zeros(1, np.int64))
    assert Store(people.store).tallies(content_keys(asked))
    for suffix in ("", "-wal", "-shm"):
        (people.runs.parent / f"verdicts.db{suffix}").unlink(missing_ok=True)
    assert (
        f"there is no file {store}; start veriloop serve where the run was started"
        in client.get(f"{page}/judge").text
    )


def test_a_store_that_is_unreachable_does_not_hide_the_others(waiting, serve, client, tmp_path):
    url = "postgresql://nobody@/x?host=/no/such/folder"
    cards = RunCard(arms={"verified": ArmCard(last_round=1, verdict_stores=(url,))})
    RunFolder(tmp_path / "runs" / "lost").write_manifest(Manifest(config={}, seed=0, cards=cards))
    shutil.copytree(waiting.runs / "digits", tmp_path / "runs" / "digits")
    text = client.get(f"{serve(tmp_path / 'runs')}/judge").text
    assert "the store of verdicts postgresql://nobody@/x" in text
    assert "30 samples wait for a verdict." in text
