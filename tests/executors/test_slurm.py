"""The executor of Slurm jobs, on submitit's processes of this machine."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import psutil
import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError, MissingExtraError, VeriloopError
from veriloop.events import WorkerLost
from veriloop.executors._retry import told_of_lost_workers
from veriloop.executors.slurm import Slurm
from veriloop.loop import run
from veriloop.testing import check_executor

pytest.importorskip("submitit", reason="needs submitit: pip install 'veriloop[slurm]'")

# Jobs do not see the tests: what is here goes to them whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def slurm(tmp_path: Path) -> Callable[..., Slurm]:
    return lambda **settings: Slurm(cluster="local", folder=tmp_path / "jobs", **settings)


@pytest.fixture
def lost() -> Iterator[list[WorkerLost]]:
    found: list[WorkerLost] = []
    with told_of_lost_workers(found.append):
        yield found


@pytest.fixture(autouse=True)
def no_slow_file_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veriloop.executors.slurm.GRACE", 0.5)


def test_contract(slurm: Callable[..., Slurm], tmp_path: Path) -> None:
    check_executor(slurm(workers=4, per_job=10))
    assert not (tmp_path / "jobs").exists(), "nothing is left"


def pid_of(shared: int, item: int) -> tuple[int, int]:
    return item * shared, os.getpid()


def test_a_job_computes_some_items_and_few_are_taken_ahead(slurm: Callable[..., Slurm]) -> None:
    items = iter(range(100))
    results = slurm(workers=2, per_job=3).map(pid_of, items, 2)
    first = [next(results) for _ in range(4)]
    assert [result for result, _ in first] == [0, 2, 4, 6]
    pids = [pid for _, pid in first]
    assert pids[0] == pids[1] == pids[2] != pids[3]
    assert next(items) <= 9


def die_at_four(folder: Path, item: int) -> int:
    with (folder / str(item)).open("a") as file:
        file.write("x")
    if item == 4 and (folder / "4").stat().st_size == 1:
        os.kill(os.getpid(), 9)
    return 2 * item


def test_a_killed_job_is_lost_and_its_items_are_tried_again(
    slurm: Callable[..., Slurm], tmp_path: Path, lost: list[WorkerLost]
) -> None:
    counts = tmp_path / "counts"
    counts.mkdir()
    assert list(slurm(per_job=3).map(die_at_four, range(8), counts)) == list(range(0, 16, 2))
    assert {path.name: path.stat().st_size for path in counts.iterdir() if path.stat().st_size > 1} == {
        "3": 2,
        "4": 2,
    }, "no other job is computed again"
    assert [(event.try_, "ended without a result" in event.what) for event in lost] == [(1, True)]
    left = [path.name for path in (tmp_path / "jobs").glob("*/*")]
    assert sorted(name.split("_")[-1] for name in left) == ["log.err", "log.out"], "of the lost job"


def die(shared: None, item: int) -> None:
    print("killed by", item, file=sys.stderr, flush=True)
    os.kill(os.getpid(), 9)


def test_a_job_that_is_lost_each_time_is_an_error_that_names_its_log(
    slurm: Callable[..., Slurm], lost: list[WorkerLost]
) -> None:
    with pytest.raises(VeriloopError, match=r"ended without a result .* 3 times\. Read its log") as caught:
        list(slurm().map(die, [7]))
    assert [event.try_ for event in lost] == [1, 2, 3]
    log = str(caught.value).split("Read its log, ")[1].split(";")[0]
    assert "killed by 7" in Path(log).read_text()


def cannot_travel(shared: None, item: int) -> object:
    return (i for i in range(item))


def test_a_result_that_cannot_be_sent_back_is_no_lost_job(
    slurm: Callable[..., Slurm], lost: list[WorkerLost]
) -> None:
    with pytest.raises(TypeError, match="pickle 'generator'"):
        list(slurm().map(cannot_travel, [7]))
    assert lost == []


def wait(folder: Path, item: int) -> int:
    (folder / str(os.getpid())).touch()
    while item:
        time.sleep(0.05)
    return item


def begun(folder: Path, count: int) -> list[psutil.Process]:
    """The processes of this many jobs, as soon as all have begun."""
    until = time.monotonic() + 300
    while len(found := list(folder.iterdir())) < count:
        assert time.monotonic() < until, "the jobs should have begun"
        time.sleep(0.05)
    return [psutil.Process(int(path.name)) for path in found if psutil.pid_exists(int(path.name))]


def test_jobs_end_with_an_early_end(slurm: Callable[..., Slurm], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    pids.mkdir()
    results = slurm().map(wait, range(3), pids)
    assert next(results) == 0
    jobs = begun(pids, 3)
    assert jobs
    assert isinstance(results, Generator)
    results.close()
    assert not psutil.wait_procs(jobs, timeout=30)[1]
    assert not list((tmp_path / "jobs").glob("*/*.pkl"))


SCRIPT = """
import sys, time
from pathlib import Path
from veriloop.executors import slurm
import cloudpickle

def wait(folder, item):
    import os
    (folder / str(os.getpid())).touch()
    time.sleep(600)

slurm.BEAT = 0.2
folder = Path(sys.argv[1])
list(slurm.Slurm(cluster="local", folder=folder / "jobs").map(wait, range(2), folder / "pids"))
"""


def test_jobs_end_with_a_killed_run(tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, script, tmp_path])
    jobs = begun(tmp_path / "pids", 2)
    assert len(jobs) == 2
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert not psutil.wait_procs(jobs, timeout=60)[1]


TINY = "veriloop.testing.tiny"
CONFIG: dict[str, Any] = {
    "seed": 1,
    "rounds": 1,
    "dataset": f"{TINY}:TinyData",
    "learner": f"{TINY}:TinyLearner",
    "verifier": f"{TINY}:TinyVerifier",
    "metrics": [f"{TINY}:TinyMetric"],
    "acceptance": {"kind": "top_fraction", "fraction": 0.1},
    "balance": "label",
    "schedule": {"kind": "constant", "n": 60},
    "chunk_size": 200,
    "evaluation_samples": 300,
}


@pytest.mark.parametrize("parallel", ["arms", "chunks"])
def test_a_run_is_the_same_bit_for_bit(parallel: str, tmp_path: Path) -> None:
    executor = {"kind": "slurm", "cluster": "local", "folder": str(tmp_path / "jobs"), "memory": "1GB"}
    serial = run(plan_from(CONFIG), tmp_path / "serial")
    jobs = run(plan_from({**CONFIG, "executor": executor, "parallel": parallel}), tmp_path / "jobs-run")
    assert content(jobs.path) == content(serial.path)


def content(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.glob("round_*/**/*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_without_slurm_it_is_one_line(
    slurm: Callable[..., Slurm], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"^Slurm is not available.* cluster: local"):
        list(Slurm(folder=tmp_path / "jobs").map(pid_of, [1], 1))
    assert not (tmp_path / "jobs").exists()


def test_a_plan_without_slurm_is_refused_before_anything_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match=r"^executor: Slurm is not available.* cluster: local"):
        run(plan_from({**CONFIG, "executor": "slurm"}), tmp_path / "run")
    assert not (tmp_path / "run" / "round_0").exists()


def test_submitit_not_installed(slurm: Callable[..., Slurm], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "submitit" else find(name))
    with pytest.raises(MissingExtraError, match=r"pip install 'veriloop\[slurm\]'"):
        list(slurm().map(pid_of, [1], 1))
