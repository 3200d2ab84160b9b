"""Trackers with their real local stores, which are read here without them."""

import importlib
import json
import os
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError
from veriloop.events import TrackerFailed
from veriloop.loop import run
from veriloop.store.folder import RunFolder
from veriloop.testing import check_tracker

HERE = Path(__file__).parent
CONFIG: dict[str, Any] = {
    "seed": 3,
    "rounds": 4,
    "dataset": {"kind": "linear", "theta_star": [1, 1], "n0": 20},
    "learner": "ols",
    "verifier": {"kind": "knowledge_ball", "center": [1.1, 1.1], "radius": 0.5},
    "schedule": {"kind": "constant", "n": 30},
    "metrics": [{"kind": "parameter_error", "truth": [1, 1]}],
    "arms": ["verified", "unverified"],
}
Rows = list[tuple[str, int, float]]


def of_mlflow(path: Path, key: str) -> Rows:
    with sqlite3.connect(path) as store:
        return store.execute(
            "select m.key, m.step, m.value from metrics m join tags t on t.run_uuid = m.run_uuid"
            " where t.key = 'veriloop.run' and t.value = ?",
            [key],
        ).fetchall()


def of_trackio(folder: Path, key: str) -> Rows:
    with sqlite3.connect(folder / "veriloop.db") as store:
        rows = store.execute(
            "select step, metrics from metrics where run_name like ?", [f"%{key}"]
        ).fetchall()
    return [(name, step, value) for step, said in rows for name, value in json.loads(said).items()]


def numbers(folder: RunFolder) -> Rows:
    """What a tracker of the run should hold of its metric, and where."""
    found = [
        (f"{prefix}{name}/{record.arm}", record.round, estimate.value)
        for record in folder.records()
        for prefix, block in (("", record.metrics), ("validation_", record.validation))
        for name, estimate in block.items()
    ]
    return sorted(found)


def metrics_in(rows: Rows) -> Rows:
    return sorted(row for row in rows if "parameter_error" in row[0])


@pytest.mark.filterwarnings("ignore")
def test_mlflow_keeps_the_contract(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    from veriloop.trackers.mlflow import MLflow

    path = tmp_path / "ml.db"
    check_tracker(MLflow(uri=f"sqlite:///{path}"), lambda key: of_mlflow(path, key))
    with sqlite3.connect(path) as store:
        settings = dict(store.execute("select key, value from params").fetchall())
    assert settings == {"seed": "3", "learner.kind": "tiny", "metrics.0.columns": "None"}


def of_wandb(folder: Path, key: str) -> Rows:
    """The history in wandb's offline files: records in protocol buffers, in blocks like LevelDB's log."""
    pb = importlib.import_module("wandb.proto.wandb_internal_pb2")
    rows: Rows = []
    for path in folder.glob(f"wandb/offline-run-*-{key}/run-{key}.wandb"):
        data, at, record = path.read_bytes(), 7, b""
        while at + 7 <= len(data):
            if (left := 32768 - at % 32768) < 7:
                at += left
                continue
            _, size, kind = struct.unpack_from("<IHB", data, at)
            record += data[at + 7 : at + 7 + size]
            at += 7 + size
            if kind in (2, 3):  # the first or a middle part
                continue
            history, record = pb.Record.FromString(record).history, b""
            said = [(".".join(i.nested_key) or i.key, json.loads(i.value_json)) for i in history.item]
            rows += [(name, history.step.num, value) for name, value in said if not name.startswith("_")]
    return rows


SCRIPT = """
from pathlib import Path
from test_trackers import of_trackio
from veriloop.testing import check_tracker
from veriloop.trackers.trackio import Trackio
check_tracker(Trackio(), lambda key: of_trackio(Path("store"), key))
"""


def test_trackio_keeps_the_contract(tmp_path: Path) -> None:
    pytest.importorskip("trackio")
    # Trackio looks at its variable once, when it is imported.
    env = {**os.environ, "TRACKIO_DIR": "store", "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_wandb_keeps_the_contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from veriloop.trackers.wandb import WandB

    monkeypatch.chdir(tmp_path)
    check_tracker(WandB(), lambda key: of_wandb(tmp_path, key))
    assert len(list(tmp_path.glob("wandb/offline-run-*"))) == 1  # complete, in place of the first


@pytest.mark.slow
def test_wandb_holds_each_round_once_after_a_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    from veriloop.trackers.wandb import WandB

    monkeypatch.chdir(tmp_path)
    plan = plan_from(CONFIG).model_copy(update={"tracker": (WandB(),)})
    run(plan, tmp_path / "run")
    folder = run(plan, tmp_path / "run", resume="always")
    [store] = tmp_path.glob("wandb/offline-run-*")
    assert metrics_in(of_wandb(tmp_path, store.name.rpartition("-")[2])) == numbers(folder)
    assert not [event for event in folder.events()[0] if isinstance(event, TrackerFailed)]


@pytest.mark.slow
def test_after_a_kill_each_round_is_there_once(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("trackio")
    trackers = ["trackio", {"kind": "mlflow", "uri": f"sqlite:///{tmp_path}/ml.db"}]
    learner = {"kind": "doomed:Doomed", "count": str(tmp_path / "fits")}
    config = {**CONFIG, "learner": learner, "tracker": trackers}
    (tmp_path / "plan.yaml").write_text(json.dumps(config))
    env = {**os.environ, "TRACKIO_DIR": str(tmp_path / "store"), "PYTHONPATH": str(HERE)}

    def veriloop(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from veriloop.cli.main import main; main()", *args, "--json"]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)

    killed = veriloop("run", "plan.yaml", "--out", "run")
    assert killed.returncode == -signal.SIGKILL
    folder = RunFolder.open(tmp_path / "run")
    assert 0 < len(folder.records()) < 10
    done = veriloop("resume", "run")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "finished"
    assert len(folder.records()) == 10
    for again in range(2):
        with sqlite3.connect(tmp_path / "ml.db") as store:
            [(name, status, key)] = store.execute(
                "select name, status, t.value from runs r join tags t on t.run_uuid = r.run_uuid"
                " where t.key = 'veriloop.run'"
            ).fetchall()
        assert (name, status) == ("run", "FINISHED")
        for rows in (of_mlflow(tmp_path / "ml.db", key), of_trackio(tmp_path / "store", key)):
            assert metrics_in(rows) == numbers(folder)
        if not again:
            assert veriloop("resume", "run").returncode == 0
    assert not [event for event in folder.events()[0] if isinstance(event, TrackerFailed)]


@pytest.mark.filterwarnings("ignore")
def test_a_tracker_that_fails_ends_nothing_and_is_complete_after_the_next_call(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    plain = run(plan_from(CONFIG), tmp_path / "plain")
    path = tmp_path / "file" / "ml.db"
    path.parent.touch()
    plan = plan_from({**CONFIG, "tracker": {"kind": "mlflow", "uri": f"sqlite:///{path}"}})
    folder = run(plan, tmp_path / "run")
    without_seconds: Callable[[RunFolder], Any] = lambda f: [  # noqa: E731
        r.model_dump(mode="json", exclude={"seconds"}) for r in f.records()
    ]
    assert without_seconds(folder) == without_seconds(plain)
    [failed] = [event for event in folder.events()[0] if isinstance(event, TrackerFailed)]
    assert failed.tracker == "mlflow"
    assert failed.reason
    path.parent.unlink()
    run(plan, tmp_path / "run", resume="if-possible")
    with sqlite3.connect(path) as store:
        rows = store.execute("select key, step, value from metrics").fetchall()
    assert metrics_in(rows) == numbers(folder)


@pytest.mark.filterwarnings("ignore")
def test_a_run_may_get_a_tracker_later(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    folder = run(plan_from(CONFIG), tmp_path / "run")
    tracked = plan_from({**CONFIG, "tracker": [{"kind": "mlflow", "uri": f"sqlite:///{tmp_path}/ml.db"}]})
    run(tracked, tmp_path / "run", resume="if-possible")
    with sqlite3.connect(tmp_path / "ml.db") as store:
        assert metrics_in(store.execute("select key, step, value from metrics").fetchall()) == numbers(folder)


@pytest.mark.filterwarnings("ignore")
def test_a_run_in_memory_is_tracked_too(tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    done = run(
        plan_from({**CONFIG, "tracker": [{"kind": "mlflow", "uri": f"sqlite:///{tmp_path}/ml.db"}]}), None
    )
    with sqlite3.connect(tmp_path / "ml.db") as store:
        steps = store.execute("select count(*) from metrics where key like 'trained_on/%'").fetchone()
    assert steps == (len(done.records()),)


@pytest.mark.parametrize(
    ("kind", "extra"), [("trackio", "trackers"), ("mlflow", "trackers"), ("wandb", "wandb")]
)
def test_a_tracker_that_is_not_installed_is_refused_with_the_command(
    kind: str, extra: str, tmp_path: Path
) -> None:
    (tmp_path / "plan.yaml").write_text(json.dumps({**CONFIG, "tracker": kind}))
    # A module that cannot be found: the same as in an environment without the package.
    hide = f"u.find_spec = lambda name, package=None: None if name == {kind!r} else found(name, package)"
    lines = ["import sys, importlib.util as u", "found = u.find_spec", hide]
    lines += ["from veriloop.cli.main import main", "sys.argv[1:] = ['validate', 'plan.yaml']", "main()"]
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert f"pip install 'veriloop[{extra}]'" in line
    assert kind in line


def test_one_that_writes_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio")
    from veriloop.loop.check import checked

    monkeypatch.setenv("TRACKIO_SPACE_ID", "somebody/space")
    with pytest.raises(ConfigError, match="trackio sync"):
        checked(plan_from({**CONFIG, "tracker": "trackio"}))


def test_the_same_tracker_twice_is_a_mistake() -> None:
    pytest.importorskip("trackio")
    with pytest.raises(ConfigError, match="duplicate tracker"):
        plan_from({**CONFIG, "tracker": ["trackio", {"kind": "trackio", "project": "veriloop"}]})
