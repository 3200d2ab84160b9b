"""The owner's page: how each person judges, found again from what was planted."""

import shutil

from veriloop.verifiers.human.desk import Desk
from veriloop.verifiers.human.store import Store

from .conftest import PLANTED, write_run


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
