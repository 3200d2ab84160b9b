"""``veriloop reproduce``: the command around the experiments, which are tested on their own."""

import json
from pathlib import Path
from typing import get_args

import pytest

from veriloop.cli.reproduce import reproduce
from veriloop.experiments.base import Scale
from veriloop.experiments.catalogue import EXPERIMENTS

SMOKE = ("reproduce", "linear-trajectories", "--scale", "smoke", "--executor", "serial")


def test_words_and_files(veriloop, tmp_path: Path) -> None:
    called = veriloop(*SMOKE, "--out", tmp_path)
    assert (called.code, called.err) == (0, "")
    first, *_, last = called.out.splitlines()
    assert first.startswith("theory and simulation within 3 standard errors: ")
    files = [tmp_path / f"linear-trajectories.{suffix}" for suffix in ("json", "png", "svg")]
    assert last.endswith(", ".join(map(str, files)))
    assert sorted(tmp_path.iterdir()) == files


def test_for_machines(veriloop, tmp_path: Path) -> None:
    called = veriloop(*SMOKE, "--seed", 3, "--out", tmp_path, "--json")
    printed, written = (
        json.loads(called.out),
        json.loads(Path(tmp_path / "linear-trajectories.json").read_text()),
    )
    assert printed["results"] == str(tmp_path / "linear-trajectories.json")
    assert len(printed["figures"]) == 2
    assert printed["within_3_se"] == written["within_3_se"] >= 0.97
    assert "--seed 3" in written["command"]


def test_help_and_options_know_what_there_is(veriloop) -> None:
    shown = " ".join(veriloop("reproduce", "--help").out.replace("│", " ").split())
    assert all(name in shown for name in EXPERIMENTS)
    assert get_args(get_args(reproduce.__annotations__["scale"])[0]) == get_args(Scale)


MISTAKES: dict[str, tuple[tuple[object, ...], str]] = {
    "unknown experiment": (("reproduce", "linear-phases", "--out", "out"), "Did you mean 'linear-phase'?"),
    "unwritable": ((*SMOKE, "--out", "file/out"), "cannot write to file/out"),
    "a file for a folder": ((*SMOKE, "--out", "file"), "cannot write to file"),
    "unknown executor": ((*SMOKE, "--out", "out", "--executor", "cloud"), "no executors of this kind"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("json_", [False, True], ids=["text", "json"])
def test_a_mistake_is_one_line_and_exit_code_2(
    veriloop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str, json_: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    arguments, expected = MISTAKES[mistake]
    called = veriloop(*arguments, *(["--json"] if json_ else []))
    assert (called.code, called.out) == (2, "")
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert expected in called.err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
