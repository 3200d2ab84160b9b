from pathlib import Path

import numpy as np
import pytest

from veriloop.advise.calibrated import FOLDER, Calibrated
from veriloop.ask.known import BAD_ARE, Bad, calibrate_arm, known_bad
from veriloop.config import plan_from
from veriloop.datasets.base import RealData
from veriloop.errors import ConfigError, DataError
from veriloop.loop import run
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.testing.tiny import TinyData, TinyGenerator

TINY = "veriloop.testing.tiny"
PLAN = plan_from(
    {
        "rounds": 2,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": f"{TINY}:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.2},
        "schedule": {"kind": "constant", "n": 30},
        "arms": ["verified", "unverified"],
    }
)
START = TinyGenerator(np.full((3, 2), 9.0), np.ones((3, 2)))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(PLAN, tmp_path_factory.mktemp("runs") / "tiny")


def test_an_arms_verifier_is_calibrated_and_the_finding_kept(folder: RunFolder) -> None:
    found = calibrate_arm(PLAN, folder, "verified", None, "mislabelled", 200)
    assert found.subject == f"verified, round 2: {TINY}:TinyVerifier"
    assert found.calibration is not None
    assert (found.calibration.good, found.calibration.bad) == (200, 200)
    # Points lie 4 or 5.7 apart by class, with unit spread: a wrong label shows.
    assert found.calibration.auc.value > 0.95
    path = folder.path / FOLDER / "verified-round_2-mislabelled.json"
    assert Calibrated.model_validate_json(path.read_bytes()) == found
    assert calibrate_arm(PLAN, folder, "verified", 2, "mislabelled", 200) == found


def test_of_a_start_model_that_is_good_it_cannot_tell(folder: RunFolder) -> None:
    calibration = calibrate_arm(PLAN, folder, "verified", 1, "start", 300).calibration
    assert calibration is not None
    assert calibration.auc.low < 0.6


def test_the_run_is_untouched(folder: RunFolder, tmp_path: Path) -> None:
    again = run(PLAN, tmp_path / "again")
    calibrate_arm(PLAN, folder, "verified", 1, "start", 50)
    assert [r.counts for r in folder.records()] == [r.counts for r in again.records()]


@pytest.mark.parametrize(
    ("arm", "round_", "match"),
    [
        ("verifed", None, "expected one of verified, unverified"),
        ("unverified", None, "has no verifier: expected one of verified"),
        ("verified", 7, "got 7, expected one of 1, 2"),
    ],
)
def test_what_is_not_there(arm: str, round_: int | None, match: str, folder: RunFolder) -> None:
    with pytest.raises(ConfigError, match=match):
        calibrate_arm(PLAN, folder, arm, round_, "start", 10)


def data(**columns: object) -> RealData:
    samples = Samples(**columns)
    conditions = samples.only(["label"]) if "label" in samples else None
    return RealData(start=samples, train=samples, test=samples, conditions=conditions)


IMAGES = data(
    pixels=np.arange(90, dtype=np.uint8).reshape(10, 3, 3),
    label=np.arange(10) % 3,
    story=["a b c d"] * 9 + [""],
)


def test_shuffled_samples_hold_the_same_in_another_order() -> None:
    made = known_bad(IMAGES, IMAGES.test, "shuffled", START, rng())
    pixels, before = made.array("pixels"), IMAGES.test.array("pixels")
    assert not np.array_equal(pixels, before)
    assert np.array_equal(np.sort(pixels.reshape(10, -1)), before.reshape(10, -1))
    assert all(sorted(text.split()) == ["a", "b", "c", "d"] for text in list(made["story"])[:9])
    assert np.array_equal(made.array("label"), IMAGES.test.array("label"))


def test_mislabelled_samples_all_have_another_label() -> None:
    made = known_bad(IMAGES, IMAGES.test, "mislabelled", START, rng())
    assert (made.array("label") != IMAGES.test.array("label")).all()
    assert np.array_equal(np.sort(made.array("label")), np.sort(IMAGES.test.array("label")))
    assert np.array_equal(made.array("pixels"), IMAGES.test.array("pixels"))


def test_the_start_model_is_asked_for_the_same_conditions() -> None:
    good = TinyData().load(0)
    made = known_bad(good, good.test, "start", START, rng())
    assert np.array_equal(made.array("label"), good.test.array("label"))
    assert abs(made.array("x").mean() - 9) < 4 / np.sqrt(2 * len(made))


REFUSED: dict[str, tuple[RealData, Bad, type[Exception]]] = {
    "nothing to shuffle": (data(x=np.arange(4.0), label=np.arange(4)), "shuffled", ConfigError),
    "no conditions": (data(x=np.zeros((4, 2))), "mislabelled", ConfigError),
    "one label for most": (data(label=np.array([1, 1, 1, 2])), "mislabelled", DataError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_known_bad_of_this_kind(case: str) -> None:
    real, bad, error = REFUSED[case]
    with pytest.raises(error):
        known_bad(real, real.test, bad, START, rng())
    assert bad in BAD_ARE
