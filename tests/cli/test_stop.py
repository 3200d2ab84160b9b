"""A run stops after its round when somebody asks, and goes on as if nothing had been."""

import json
from pathlib import Path

import pytest

from veriloop.config import load_plan
from veriloop.events import Event, RoundFinished
from veriloop.loop import run
from veriloop.store.folder import RunFolder
from veriloop.store.stopping import asked_to_stop
from veriloop.verifiers.human.desk import Desk


def _records(folder: RunFolder) -> list[dict]:
    return [record.model_dump(exclude={"seconds"}) for record in folder.records()]


def test_a_run_stops_after_its_round_and_goes_on_later(
    veriloop, config: Path, tiny_run: Path, tmp_path: Path
) -> None:
    out, said = tmp_path / "my run", list[str]()

    def ask(event: Event) -> None:
        if isinstance(event, RoundFinished) and (event.arm, event.round) == ("verified", 1):
            said.append(veriloop("stop", out).out)

    folder = run(load_plan(config), out, listen=ask)
    assert said == [f"the run stops after its current round; continue later with: veriloop resume '{out}'\n"]
    assert (folder.manifest().status, folder.manifest().reason) == ("stopped", "after round 1, as asked")
    assert {record.round for record in folder.records()} == {0, 1}, "no arm of the round is left out"
    assert not asked_to_stop(folder)
    refused = veriloop("stop", out)
    assert refused.code == 2
    assert "cannot be stopped: got 'stopped', expected running or waiting" in refused.err
    assert veriloop("resume", out, "--plain").code == 0
    assert folder.manifest().status == "finished"
    assert _records(folder) == _records(RunFolder(tiny_run))
    assert "got 'finished'" in veriloop("stop", out).err


def test_the_end_of_a_stopped_run_says_how_to_go_on(
    veriloop, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("veriloop.loop.stores.asked_to_stop", lambda folder: True)
    out = tmp_path / "my run"
    called = veriloop("run", config, "--out", out, "--plain")
    assert called.code == 0
    assert called.out.splitlines()[-1] == (
        f"stopped after round 1, as asked; continue with: veriloop resume '{out}'"
    )


def test_a_run_that_waits_for_people_is_stopped_at_once(veriloop, config: Path, tmp_path: Path) -> None:
    store, out = f"sqlite:///{tmp_path}/verdicts.db", tmp_path / "people"
    human = ["--set", f"verifier={{kind: human, store: '{store}', known: 0}}"]
    options = [*human, "--set", "acceptance=accept_all", "--set", "balance=null"]
    assert veriloop("run", config, "--out", out, "--plain", *options).code == 0
    called = veriloop("stop", out)
    assert called.out == f"the run is stopped; continue later with: veriloop resume {out}\n"


def test_what_a_stop_does_is_said_as_json(veriloop, config: Path, tmp_path: Path) -> None:
    store, out = f"sqlite:///{tmp_path}/verdicts.db", tmp_path / "people"
    human = ["--set", f"verifier={{kind: human, store: '{store}', known: 0}}"]
    options = [*human, "--set", "acceptance=accept_all", "--set", "balance=null"]
    veriloop("run", config, "--out", out, "--plain", *options)
    assert json.loads(veriloop("stop", out, "--json").out) == {
        "run": str(out),
        "stopped": True,
        "resume": f"veriloop resume {out}",
    }
    assert RunFolder(out).manifest().status == "stopped"
    assert Desk(store).progress("ann").waiting > 0, "who judges may go on"
