import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from veriloop.executors.process import Process
from veriloop.executors.serial import Serial
from veriloop.testing import check_executor


@pytest.mark.parametrize("executor", [Serial(), Process(workers=2)], ids=repr)
def test_contract(executor):
    check_executor(executor)


SCRIPT = """
import os, time
from veriloop.executors.process import Process

def slow(shared, item):
    print(os.getpid(), flush=True)
    time.sleep(60)

list(Process(workers=2).map(slow, range(2)))
"""


def test_workers_are_other_processes_and_die_with_a_killed_parent(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        workers = {int(parent.stdout.readline()) for _ in range(2)}
    assert len(workers) == 2
    assert parent.pid not in workers
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while any(psutil.pid_exists(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in workers if psutil.pid_exists(pid)], f"still there, from {os.getpid()}"
