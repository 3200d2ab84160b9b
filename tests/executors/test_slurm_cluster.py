"""The executor of Slurm jobs on a true cluster of one node, where the programs of Slurm and munge are."""

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cloudpickle
import pytest

from veriloop.errors import ConfigError
from veriloop.events import WorkerLost
from veriloop.executors._retry import told_of_lost_workers
from veriloop.executors.slurm import Slurm
from veriloop.testing import check_executor

pytest.importorskip("submitit", reason="needs submitit: pip install 'veriloop[slurm]'")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel")
if missing := [name for name in PROGRAMS if not shutil.which(name)]:
    pytest.skip(f"needs Slurm's programs, and there is no {missing[0]}", allow_module_level=True)

cloudpickle.register_pickle_by_value(sys.modules[__name__])

CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={scratch}/munge.socket
CredType=cred/munge
StateSaveLocation={scratch}/state
SlurmdSpoolDir={scratch}/spool
SlurmctldPidFile={scratch}/slurmctld.pid
SlurmdPidFile={scratch}/slurmd.pid
SlurmctldLogFile={scratch}/slurmctld.log
SlurmdLogFile={scratch}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=200
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 State=UNKNOWN
PartitionName=only Nodes={host} Default=YES MaxTime=60 State=UP
"""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    # A short path, because a socket lives in it.
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, pytest.MonkeyPatch.context() as patch:
        scratch = Path(name)
        (scratch / "key").write_bytes(os.urandom(128))
        (scratch / "key").chmod(0o600)
        for made in ("state", "spool"):
            (scratch / made).mkdir()
        conf = scratch / "slurm.conf"
        host, user, ports = socket.gethostname().partition(".")[0], getpass.getuser(), free_ports(2)
        conf.write_text(CONF.format(host=host, user=user, ports=ports, scratch=scratch, cpus=os.cpu_count()))
        patch.setenv("SLURM_CONF", str(conf))
        files = {"key-file": "key", "socket": "munge.socket", "pid-file": "pid", "log-file": "log"}
        options = [f"--{option}={scratch / file}" for option, file in {**files, "seed-file": "seed"}.items()]
        servers: list[subprocess.Popen[bytes]] = []
        try:
            for command in (
                ["munged", "--foreground", "--force", *options],
                ["slurmctld", "-D", "-f", conf],
                ["slurmd", "-D", "-f", conf],
            ):
                server = subprocess.Popen(
                    command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
                )
                servers.append(server)
            until = time.monotonic() + 300
            while "idle" not in said("sinfo", "--noheader", "--format=%T"):
                assert time.monotonic() < until, (scratch / "slurmctld.log").read_text()[-2000:]
                time.sleep(0.5)
            yield
        finally:
            for server in reversed(servers):
                server.terminate()
                server.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def jobs() -> str:
    return said("squeue", "--noheader", "--format=%i")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("veriloop.executors.slurm.ASK", 1.0)
    monkeypatch.setattr("veriloop.executors.slurm.GRACE", 1.0)


def test_contract(tmp_path: Path) -> None:
    check_executor(Slurm(folder=tmp_path, per_job=20, partition="only", time=5, options={"comment": "a b"}))
    assert list(tmp_path.iterdir()) == []


def cancel_once(folder: Path, item: int) -> int:
    with (folder / str(item)).open("a") as file:
        file.write("x")
    while item == 1 and (folder / "1").stat().st_size == 1:
        subprocess.run(["scancel", os.environ["SLURM_JOB_ID"]], check=True)
        time.sleep(1)
    return item


def test_a_lost_job_is_noticed_without_accounting_and_its_items_are_tried_again(tmp_path: Path) -> None:
    counts, lost = tmp_path / "counts", list[WorkerLost]()
    counts.mkdir()
    with told_of_lost_workers(lost.append):
        assert list(Slurm(folder=tmp_path / "jobs").map(cancel_once, range(3), counts)) == [0, 1, 2]
    assert [(event.try_, event.what.split()[-1]) for event in lost] == [(1, "(CANCELLED)")]


def wait(shared: None, item: int) -> int:
    while item:
        time.sleep(0.1)
    return item


def test_jobs_are_cancelled_with_an_early_end(tmp_path: Path) -> None:
    results = Slurm(folder=tmp_path / "jobs").map(wait, range(6))
    assert next(results) == 0
    assert jobs()
    results.close()  # pyright: ignore[reportAttributeAccessIssue]
    until = time.monotonic() + 60
    while jobs():
        assert time.monotonic() < until, "the jobs should have been cancelled"
        time.sleep(0.2)


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"partition": "none"}, "partition"), ({"options": {"no-such-option": 1}}, "no-such-option")],
)
def test_what_sbatch_refuses_is_one_line(
    settings: dict[str, object], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=rf"sbatch refuses a job: got .*{said}"):
        list(Slurm.model_validate({"folder": tmp_path / "jobs", **settings}).map(wait, [0]))
    assert capfd.readouterr().err == ""
