"""The owner's page: how each person judges, found again from what was planted."""

import shutil

import numpy as np
import pytest

from veriloop.samples import Samples
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.desk import Desk, Remark
from veriloop.verifiers.human.store import KnownSamples, Store

from .conftest import write_run

PLANTED = {"Ann <b>A</b>": (0.95, 0.9), "Bob": (0.9, 0.3), "Cyd": (0.8, 0.8)}
"""Sensitivity and specificity."""


@pytest.fixture
def judged(tmp_path):
    """A folder with a run whose known samples three people have judged."""
    url, rng = f"sqlite:///{tmp_path}/verdicts.db", np.random.default_rng(3)
    write_run(tmp_path / "runs" / "some", url)
    some = Samples(number=np.arange(200.0))
    good, bad = some.select(slice(0, 80)), some.select(slice(80, 160))
    Store(url).post(some.select(slice(160, None)), KnownSamples(good, bad, 1.0), wanted=3, queue=99)
    desk = Desk(url)
    for name, (sensitivity, specificity) in PLANTED.items():
        for part, accepts in ((good, sensitivity), (bad, 1 - specificity)):
            for key, says_yes in zip(content_keys(part), rng.random(80) < accepts, strict=True):
                desk.record(name, key, "accept" if says_yes else "reject", Remark(seconds=2.0))
    yield tmp_path / "runs"
    open_database(url).close()


def test_the_owner_sees_how_each_person_judges(serve, judged, client):
    page = serve(judged)
    (queue,) = client.get(f"{page}/people/data").json()["queues"]
    assert (queue["runs"], queue["problem"]) == (["some"], None)
    assert set(queue["people"]) == set(PLANTED)
    for name, planted in PLANTED.items():
        person = queue["people"][name]
        assert (person["verdicts"], person["seconds"]) == (160, 2.0)
        for share, true in zip((person["sensitivity"], person["specificity"]), planted, strict=True):
            assert share["total"] == 80
            assert share["low"] < true < share["high"]
    weights = {name: queue["people"][name]["weight"] for name in PLANTED}
    assert weights["Ann <b>A</b>"] > weights["Cyd"] > weights["Bob"] > 0
    text = client.get(f"{page}/people").text
    assert "Ann &lt;b&gt;A&lt;/b&gt;" in text
    assert "2.0 s" in text
    # A verdict more is seen at once; one that is corrected after the fact does not change a known sample's.
    store = Store(f"sqlite:///{judged.parent}/verdicts.db")
    known = next(p for p in store.everything() if p.truth == "reject" and p.verdicts["Bob"] == "accept")
    Desk(f"sqlite:///{judged.parent}/verdicts.db").record("Bob", known.key, "reject")
    again = client.get(f"{page}/people/data").json()["queues"][0]["people"]["Bob"]
    assert again["specificity"] == queue["people"]["Bob"]["specificity"]


def test_a_store_that_is_gone_is_said(serve, judged, client, tmp_path):
    shutil.copytree(judged, tmp_path / "others")
    write_run(tmp_path / "others" / "lost", f"sqlite:///{tmp_path}/lost.db")
    text = client.get(f"{serve(tmp_path / 'others')}/people").text
    assert f"there is no file {tmp_path}/lost.db" in text
    assert "Bob" in text
