"""What every experiment leaves behind."""

import json
from pathlib import Path

import pytest

from veriloop.errors import ConfigError, StorageError
from veriloop.executors.serial import Serial
from veriloop.experiments.base import Setting
from veriloop.experiments.catalogue import EXPERIMENTS, Experiment, reproduce


def no_nan(constant: str) -> float:
    raise AssertionError(f"{constant} is not JSON")


COMPUTED = [name for name, experiment in EXPERIMENTS.items() if not experiment.studies]
"""Those made of runs have tests of their own: they take longer."""


@pytest.mark.parametrize("name", COMPUTED)
def test_results_and_figures(smoke: Setting, tmp_path: Path, name: str) -> None:
    done = reproduce(name, smoke, tmp_path / "new" / "folder")
    assert [path.name for path in (done.results, *done.figures)] == [
        f"{name}.{s}" for s in ("json", "png", "svg")
    ]
    assert all(1_000 < path.stat().st_size < 300_000 for path in done.figures)
    results = json.loads(done.results.read_text(), parse_constant=no_nan)
    assert results["command"] == f"veriloop reproduce {name} --scale smoke --seed 0 --out DIR"
    assert {"versions", "machine", "seconds", "setting", "executor", "within_3_se"} <= results.keys()
    assert results["within_3_se"] >= 0.97
    assert done.finding.words[0].startswith("theory and simulation within 3 standard errors: ")


def test_an_unknown_experiment_is_refused(smoke: Setting, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Did you mean 'linear-phase'\?"):
        reproduce("linear_phase", smoke, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_computed(
    smoke: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = Experiment(lambda *_: pytest.fail("computed"), ())
    monkeypatch.setitem(EXPERIMENTS, "linear-phase", never)
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="Not a directory"):
        reproduce("linear-phase", smoke, tmp_path / "file" / "out")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(StorageError, match="permission denied"):
        reproduce("linear-phase", smoke, tmp_path / "closed")


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("linear-phase", {"seeds": 2}, "linear-phase is one computation of one seed"),
        ("linear-phase", {"only": ("main",)}, "linear-phase is one computation of one seed"),
        ("linear-phase", {"write_up": True}, "linear-phase is one computation of one seed"),
        ("mnist", {"only": ("main", "keep")}, r"no such study: got 'keep', .*Did you mean 'keep-ratio'\?"),
    ],
)
def test_what_an_experiment_cannot_do_is_refused(tmp_path: Path, name: str, more: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        reproduce(name, Setting("smoke", 0, Serial(), **more), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
