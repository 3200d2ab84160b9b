"""A store of verdicts that is gone is no empty store."""

import contextlib
import shutil
from pathlib import Path

import pytest

from veriloop.ask.replay import replayed
from veriloop.config import plan_from
from veriloop.errors import StorageError
from veriloop.loop import Plan, run
from veriloop.store.folder import RunFolder
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.desk import Desk


@pytest.fixture
def file(tmp_path: Path):
    """Where the store lies."""
    path = tmp_path / "verdicts.db"
    yield path
    with contextlib.suppress(StorageError):
        open_database(f"sqlite:///{path}").close()


def _plan(file: Path, ensemble: bool = False) -> Plan:
    human = {"kind": "human", "store": f"sqlite:///{file}", "known": 0}
    return plan_from(
        {
            "rounds": 1,
            "dataset": "veriloop.testing.tiny:TinyData",
            "learner": "veriloop.testing.tiny:TinyLearner",
            "verifier": {"kind": "unanimous", "members": [human]} if ensemble else human,
            "schedule": {"kind": "constant", "n": 3},
            "arms": ["verified"],
            "chunk_size": 3,
        }
    )


def _waits(file: Path, out: Path, ensemble: bool = False) -> Plan:
    plan = _plan(file, ensemble)
    assert run(plan, out).manifest().status == "waiting"
    open_database(f"sqlite:///{file}").close()
    return plan


@pytest.mark.parametrize("ensemble", [False, True])
def test_a_store_that_is_gone_is_told(file: Path, tmp_path: Path, ensemble: bool) -> None:
    plan = _waits(file, tmp_path / "run", ensemble)
    file.unlink()
    with pytest.raises(StorageError, match="is missing") as caught:
        run(plan, tmp_path / "run", resume="always")
    assert str(file) in str(caught.value)
    assert not file.exists(), "none is made in its place"


def test_an_empty_store_in_its_place_is_told(file: Path, tmp_path: Path) -> None:
    plan = _waits(file, tmp_path / "run")
    file.unlink()
    open_database(f"sqlite:///{file}")
    with pytest.raises(StorageError, match="is a different one: got 'no samples in it'"):
        run(plan, tmp_path / "run", resume="always")


@pytest.mark.parametrize("damage", ["text", "zeros"])
def test_a_damaged_store_is_told(file: Path, tmp_path: Path, damage: str) -> None:
    plan = _waits(file, tmp_path / "run")
    content = file.read_bytes()
    zeros = content[:4096] + bytes(len(content) - 4096)
    file.write_bytes(b"this is no data base" * 500 if damage == "text" else zeros)
    with pytest.raises(StorageError) as caught:
        run(plan, tmp_path / "run", resume="always")
    assert "\n" not in str(caught.value)


def test_a_finished_round_needs_its_store_too(file: Path, tmp_path: Path) -> None:
    plan = _waits(file, tmp_path / "run")
    for key in [task.key for task in Desk(f"sqlite:///{file}").take("ann", 9)]:
        Desk(f"sqlite:///{file}").record("ann", key, "accept")
    assert run(plan, tmp_path / "run", resume="always").manifest().status == "finished"
    shutil.move(file, tmp_path / "elsewhere.db")
    with pytest.raises(StorageError, match="is missing"):
        run(plan, tmp_path / "run", resume="always")


def test_a_run_that_has_not_begun_makes_its_store(file: Path, tmp_path: Path) -> None:
    assert not file.exists()
    _waits(file, tmp_path / "run")
    assert file.is_file()


def test_a_round_is_not_judged_again_without_its_verdicts(file: Path, tmp_path: Path) -> None:
    plan, out = _waits(file, tmp_path / "run"), tmp_path / "run"
    desk = Desk(f"sqlite:///{file}")
    for task in desk.take("ann", 9):
        desk.record("ann", task.key, "accept")
    assert run(plan, out, resume="always").manifest().status == "finished"
    assert len(replayed(plan, RunFolder(out), "verified", 1).accepted) == 3
    open_database(f"sqlite:///{file}").close()
    file.unlink()
    with pytest.raises(StorageError, match="is missing"):
        replayed(plan, RunFolder(out), "verified", 1)
    assert not file.exists()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_verdict_is_never_taken_for_a_file_that_is_gone(file: Path, tmp_path: Path, replaced: bool) -> None:
    """An open SQLite file survives its removal: what is written into it then is lost without a word."""
    _waits(file, tmp_path / "run")
    desk = Desk(f"sqlite:///{file}")
    task = desk.take("ann")[0]
    if replaced:
        file.rename(tmp_path / "aside.db")
        shutil.copy(tmp_path / "aside.db", file)
    else:
        file.unlink()
    with pytest.raises(StorageError, match="was removed or replaced while it was open") as caught:
        desk.record("ann", task.key, "accept")
    assert "\n" not in str(caught.value)
    if replaced:
        again = Desk(f"sqlite:///{file}")
        again.record("ann", task.key, "accept")
        assert again.progress("ann").judged == 1
