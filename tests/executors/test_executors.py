import signal
import subprocess
import sys

import psutil
import pytest

from veriloop.executors.process import Process
from veriloop.executors.serial import Serial
from veriloop.testing import check_executor


@pytest.mark.parametrize("executor", [Serial(), Process(workers=2)], ids=repr)
def test_contract(executor):
    check_executor(executor)


SCRIPT = """
import os, sys, time
from veriloop.executors.process import Process

def wait(shared, item):
    print("at work\\n", end="")  # in one write, as workers do not buffer and a line's end may come late
    time.sleep(shared)

list(Process(workers=2).map(wait, range(int(sys.argv[1])), float(sys.argv[2])))
print("idle", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("items", "seconds", "moment"), [(2, 60, "at work"), (1, 60, "at work"), (2, 0, "idle")]
)
def test_workers_die_with_a_killed_parent_at_work_or_idle(items, seconds, moment, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, script, str(items), str(seconds)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert f"{moment}\n" in iter(parent.stdout.readline, "")
    workers = psutil.Process(parent.pid).children(recursive=True)
    assert len(workers) >= 2
    parent.send_signal(signal.SIGKILL)
    # Workers share the pipe: it ends when the last of them has.
    with parent.stdout:
        parent.communicate(timeout=30)
    assert not psutil.wait_procs(workers, timeout=30)[1]
