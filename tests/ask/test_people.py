"""How well people judge, found again from what was planted."""

from pathlib import Path

import numpy as np
import pytest

from veriloop.ask.people import calibrate_people
from veriloop.errors import DataError
from veriloop.report.calibrations import lines
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest
from veriloop.verifiers.human.content import content_keys
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.desk import Desk, Remark
from veriloop.verifiers.human.store import KnownSamples, Store
from veriloop.verifiers.human.verifier import Human

PLANTED = {"Ann": (0.95, 0.9), "Bob": (0.9, 0.3)}
"""Sensitivity and specificity."""


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path / "run")
    folder.write_manifest(Manifest(config={}, seed=0))
    return folder


def test_what_was_planted_is_found_within_its_intervals(folder: RunFolder, tmp_path: Path) -> None:
    url, rng = f"sqlite:///{tmp_path}/verdicts.db", np.random.default_rng(3)
    some = Samples(number=np.arange(300.0))
    good, bad = some.select(slice(0, 120)), some.select(slice(120, 240))
    Store(url).post(some.select(slice(240, None)), KnownSamples(good, bad, 1.0), wanted=2, queue=99)
    desk = Desk(url)
    for name, (sensitivity, specificity) in PLANTED.items():
        for part, accepts in ((good, sensitivity), (bad, 1 - specificity)):
            for key, says_yes in zip(content_keys(part), rng.random(120) < accepts, strict=True):
                desk.record(name, key, "accept" if says_yes else "reject", Remark(seconds=2.0))
    found = calibrate_people(Human(store=url), folder, "verified", 0)
    for name, planted in PLANTED.items():
        person = found.annotators[name]
        assert (person.verdicts, person.seconds) == (240, 2.0)
        for share, true in zip((person.sensitivity, person.specificity), planted, strict=True):
            assert share.total == 120
            assert share.low < true < share.high
    assert found.agreement is not None
    assert found.agreement.units == 240
    assert any(line.name == "Bob: bad ones rejected" for line in lines(found))
    assert [p.name for p in (folder.path / "calibration").iterdir()] == ["verified-people.json"]
    open_database(url).close()


def test_nothing_is_said_before_known_samples_of_both_kinds_are_judged(
    folder: RunFolder, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/verdicts.db"
    some = Samples(number=np.arange(2.0))
    Store(url).post(
        some, KnownSamples(some.select(slice(0, 1)), some.select(slice(0)), 1.0), wanted=1, queue=9
    )
    with pytest.raises(DataError, match="expected both good and bad ones"):
        calibrate_people(Human(store=url), folder, "verified", 0)
    assert not (folder.path / "calibration").exists()
    open_database(url).close()
