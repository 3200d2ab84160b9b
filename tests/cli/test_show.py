"""What people look at first: show, list at any width, and the end of a run."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

from veriloop.store.folder import RunFolder

from ..patience import until

COMMAND = [sys.executable, "-c", "from veriloop.cli.main import main; main()"]
OUTCOMES = ("better", "worse", "cannot tell")


def test_show_gives_the_answer_first(veriloop, tiny_run: Path) -> None:
    lines = veriloop("show", tiny_run).out.splitlines()
    assert "verified" in lines[0]
    assert "unverified" in lines[0]
    assert any(word in lines[0] for word in OUTCOMES)
    assert any("ound" in line and "shown to be better" in line for line in lines)
    assert any(line.startswith(("Go on", "Stop", "Cannot tell")) for line in lines)
    for arm in ("verified", "unverified"):
        (own,) = (line for line in lines if line.startswith(f"{arm}: "))
        assert any(word in own for word in OUTCOMES)
    found = json.loads(veriloop("show", tiny_run, "--json").out)
    assert found["verdict"] == lines[0]
    assert found["ship"] in range(4)
    assert found["done"] == 3
    assert found["next_step"] in lines


def test_run_list_and_show_say_the_same(veriloop, config: Path, tmp_path: Path) -> None:
    ended = veriloop("run", config, "--out", tmp_path / "runs" / "a", "--plain").out.splitlines()
    shown = veriloop("show", tmp_path / "runs" / "a").out.splitlines()
    (row,) = json.loads(veriloop("list", tmp_path / "runs", "--json").out)["runs"]
    assert shown[0] in ended
    assert row["verdict"] == shown[0]
    assert row["next_step"] in ended
    assert (tmp_path / "runs" / "a" / "report.html").read_text().find(shown[0][:30]) > 0


@pytest.mark.parametrize("width", [40, 80, 200])
def test_list_fits_and_cuts_nothing(
    veriloop, monkeypatch, tiny_run: Path, tmp_path: Path, width: int
) -> None:
    names = ["short", "a-rather-long-name-of-a-run"]
    for name in names:
        shutil.copytree(tiny_run, tmp_path / name)
    monkeypatch.setenv("COLUMNS", str(width))
    out = veriloop("list", tmp_path).out
    assert max(map(cell_len, out.splitlines())) <= width
    assert all(name in out for name in names)
    assert "…" not in out
    assert "finished" in out
    assert any(word in " ".join(out.split()) for word in OUTCOMES)


def test_a_killed_run_has_died_everywhere(veriloop, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "it's mine"
    command = [*COMMAND, "run", config, "--out", out, "--set", "rounds=2000", "--plain"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    folder = RunFolder(out)
    try:
        until(lambda: folder.exists() and len(folder.records()) > 4, process)
        assert json.loads(veriloop("show", out, "--json").out)["status"] == "running"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    found = json.loads(veriloop("show", out, "--json").out)
    assert found["status"] == "died"
    assert found["reason"].startswith("died in round ")
    assert (
        found["go_on_with"]
        == f"veriloop resume '{str(out).replace(chr(39), chr(39) + chr(34) + chr(39) + chr(34) + chr(39))}'"
    )
    assert veriloop("show", out).out.startswith("died in round ")
    assert "died" in veriloop("list", out.parent).out
    assert veriloop("report", out).code == 0
    assert "died in round " in (out / "report.html").read_text()


def test_forecast_says_the_round_to_ship_once(veriloop, tiny_run: Path) -> None:
    out = veriloop("forecast", tiny_run).out
    assert out.lower().count("ship") + out.count("shown to be better") == 1
