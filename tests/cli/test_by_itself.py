"""Human runs that go on by themselves: with ``run --wait``, and beside ``serve --resume``."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from veriloop.cli import waiting
from veriloop.events import TrackerFailed
from veriloop.store.folder import RunFolder
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.desk import Desk

from ..patience import until


@pytest.fixture
def people(config: Path, tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """A store, and options that let people judge the three rounds of the small run."""
    store = f"sqlite:///{tmp_path}/verdicts.db"
    settings = [
        f"verifier={{kind: human, store: '{store}', known: 4}}",
        "acceptance=accept_all",
        "balance=null",
        "schedule.n=60",
        "max_candidates=60",
        "on_exhausted=train_with_fewer",
    ]
    yield store, [option for setting in settings for option in ("--set", setting)]
    open_database(store).close()


def _judge_all(store: str) -> None:
    desk = Desk(store)
    while tasks := desk.take("ann", 4):
        for task in tasks:
            good = int(task.shown.words["x"][-1]) % 2 == 0
            desk.record("ann", task.key, "accept" if good else "reject")


@contextmanager
def _judging(store: str) -> Iterator[None]:
    """Somebody who judges whatever comes, as long as the block lasts."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.05):
            _judge_all(store)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_run_wait_goes_on_when_people_have_judged(
    veriloop: Callable, config: Path, people: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, options = people
    monkeypatch.setattr(waiting, "PAUSE", 0.05)
    told = tmp_path / "told"
    script = (
        "import os; print(os.environ['VERILOOP_STATUS'], os.environ['VERILOOP_RUN'], file=open('%s', 'a'))"
    )
    notify = json.dumps([sys.executable, "-c", script % told])
    with _judging(store):
        called = veriloop(
            "run",
            config,
            "--out",
            tmp_path / "run",
            "--wait",
            "--json",
            "--set",
            f"notify={notify}",
            *options,
        )
    assert called.code == 0, called.err
    assert json.loads(called.out)["status"] == "finished"
    lines = [line.split() for line in told.read_text().splitlines()]
    assert {path for _, path in lines} == {str(tmp_path / "run")}
    assert [status for status, _ in lines] == ["waiting"] * 3 + ["finished"]


def test_a_command_that_fails_is_an_event_and_no_more(
    veriloop: Callable, config: Path, tmp_path: Path
) -> None:
    for number, command in enumerate(
        (["/no/such/program"], [sys.executable, "-c", "raise SystemExit('no')"])
    ):
        out = tmp_path / str(number)
        called = veriloop("run", config, "--out", out, "--json", "--set", f"notify={json.dumps(command)}")
        assert called.code == 0
        (failed,) = [e for e in RunFolder(out).events()[0] if isinstance(e, TrackerFailed)]
        assert failed.tracker == "notify"
        assert failed.reason.startswith(command[0])
        assert veriloop("resume", out, "--json").code == 0, "another command is no other run"


@pytest.mark.slow
def test_serve_resume_takes_a_run_to_its_end(
    veriloop: Callable, config: Path, people: tuple, tmp_path: Path
) -> None:
    store, options = people
    out = tmp_path / "runs" / "people"
    assert veriloop("run", config, "--out", out, "--plain", *options).code == 0
    command = [sys.executable, "-m", "veriloop", "serve", str(out.parent), "--port", "0", "--resume"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        try:
            with _judging(store):
                until(lambda: RunFolder(out).manifest().status == "finished" or server.poll() is not None)
            assert server.stdout is not None
            said = [server.stdout.readline().strip() for _ in range(3)]
        finally:
            server.terminate()
    assert said[1:] == ["people: everything is judged; continuing", "people: waiting"]
    assert [r.round for r in RunFolder(out).records() if r.arm == "verified"] == [0, 1, 2, 3]


def test_calibrate_and_audit_read_what_people_said(
    veriloop: Callable, config: Path, people: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, options = people
    monkeypatch.setattr(waiting, "PAUSE", 0.05)
    settings = "verifier.known=40", "rounds=1", "schedule.n=200", "max_candidates=200"
    more = [option for setting in settings for option in ("--set", setting)]
    with _judging(store):
        assert (
            veriloop("run", config, "--out", tmp_path / "run", "--wait", "--json", *options, *more).code == 0
        )
    called = veriloop("calibrate", tmp_path / "run", "--trust", "--json")
    assert called.code == 0, called.err
    found = json.loads(called.out)
    person = found["annotators"]["ann"]
    assert person["verdicts"] > 200
    known = person["sensitivity"]["total"] + person["specificity"]["total"]
    assert known == person["verdicts"] - 200
    assert "ann: bad ones rejected" in veriloop("calibrate", tmp_path / "run", "--trust").out
    called = veriloop("audit", tmp_path / "run", "--trust", "--json")
    assert called.code == 0, called.err
    (record,) = [r for r in RunFolder(tmp_path / "run").records() if (r.arm, r.round) == ("verified", 1)]
    audit = json.loads(called.out)
    assert audit["n_generated"] == 200
    assert audit["acceptance_rate"] == record.counts.accepted / 200
