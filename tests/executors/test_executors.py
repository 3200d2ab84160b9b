import gc
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import cloudpickle
import numpy as np
import psutil
import pytest

from veriloop.errors import DataError, VeriloopError
from veriloop.executors import process
from veriloop.executors.process import Process
from veriloop.executors.serial import Serial
from veriloop.testing import check_executor

from ..patience import HOUR, NEVER, until


@pytest.mark.parametrize("executor", [Serial(), Process(workers=2)], ids=repr)
def test_contract(executor):
    check_executor(executor)


# Workers do not see the tests: what is here goes to them whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Counted:
    """Leaves a file for each time it is pickled or unpickled."""

    def __init__(self, folder: Path, size: int = 0) -> None:
        self.folder, self.content = folder, np.zeros(size)

    def __getstate__(self):
        self.touch("pickled")
        return self.__dict__

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.touch("unpickled")

    def touch(self, what):
        (self.folder / f"{what}-{os.getpid()}-{time.perf_counter_ns()}").touch()


def items(folder, call, n=20):
    return [(folder, call, number) for number in range(n)]


def meet(item):
    """The first two items of a call wait for one another, so that both workers get some."""
    folder, call, number = item
    (folder / f"began-{call}-{number}").touch()
    while number < 2 and not all((folder / f"began-{call}-{i}").exists() for i in (0, 1)):
        time.sleep(0.01)


def at_work(shared, item):
    meet(item)
    gc.collect()
    return os.getpid(), sum(type(other).__name__ == "Counted" for other in gc.get_objects())


def times(folder, what):
    return len([p for p in folder.iterdir() if p.name.startswith(f"{what}-")])


def left():
    return list(process._scratch().iterdir())


def test_what_is_shared_is_pickled_once_and_unpickled_once_by_each_worker(tmp_path):
    seen = list(Process(workers=2).map(at_work, items(tmp_path, "only"), Counted(tmp_path)))
    assert len({pid for pid, _ in seen}) == 2
    assert times(tmp_path, "pickled") == 1
    assert times(tmp_path, "unpickled") == 2
    assert left() == []


def test_equal_content_is_not_read_again_and_other_content_takes_its_place(tmp_path):
    for call in ("first", "equal"):
        list(Process(workers=2).map(at_work, items(tmp_path, call), Counted(tmp_path)))
    assert times(tmp_path, "pickled") == 2
    assert times(tmp_path, "unpickled") == 2
    for size in (10, 20, 30):
        seen = list(Process(workers=2).map(at_work, items(tmp_path, size), Counted(tmp_path, size)))
        assert {alive for _, alive in seen} == {1}, "one of them in each worker"
    assert times(tmp_path, "unpickled") == 8
    assert left() == []


def weigh(shared, item):
    meet(item)
    return psutil.Process().memory_info().rss, os.getpid()


def test_large_things_do_not_pile_up_and_workers_stay(recwarn, tmp_path):
    megabyte = 131_072

    def weights(seed, megabytes):
        large = np.random.default_rng(seed).random(megabytes * megabyte)
        return list(Process(workers=2).map(weigh, items(tmp_path, seed, 8), large))

    first = weights(0, 80)
    time.sleep(1.1)  # loky looks at a worker's memory once a second
    for seed in (1, 2, 3):
        last = weights(seed, 320)
        time.sleep(1.1)
    assert {pid for _, pid in first} == {pid for _, pid in last}
    assert max(rss for rss, _ in last) < max(rss for rss, _ in first) + 480 * 2**20
    assert not recwarn.list


def test_workers_import_from_folders_that_came_after_them(tmp_path, monkeypatch):
    list(Process(workers=2).map(at_work, items(tmp_path, "first")))  # the workers start
    (tmp_path / "came_later.py").write_text("def double(shared, item):\n    return 2 * item\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert list(Process(workers=2).map(importlib.import_module("came_later").double, [3, 4])) == [6, 8]


def surroundings(shared, item):
    return str(Path.cwd()), os.environ.get("VERILOOP_DATA"), os.getpid()


def process_id(shared, item):
    return os.getpid()


def test_workers_follow_a_change_of_folder_and_of_data(tmp_path, monkeypatch):
    workers = Process(workers=2)
    seen = {pid for _, _, pid in workers.map(surroundings, range(8))}
    assert os.getpid() not in seen
    for name, data in (("here", "/data/one"), ("there", None)):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        if data:
            monkeypatch.setenv("VERILOOP_DATA", data)
        else:
            monkeypatch.delenv("VERILOOP_DATA")
        found = list(workers.map(surroundings, range(8)))
        assert {(folder, told) for folder, told, _ in found} == {(str(tmp_path / name), data)}
        seen |= {pid for _, _, pid in found}
    (tmp_path / "there").rmdir()
    seen |= set(workers.map(process_id, range(8)))  # a folder that is gone is no error
    # On a busy machine, one worker may have done all of a call's items.
    assert len(seen) <= 2, "the workers that there were go on"


def refuse(shared, item):
    if item == 3:
        raise DataError("item", got=item, expected="another")
    return item


def test_nothing_is_left_after_an_error_or_an_early_end():
    with pytest.raises(DataError):
        list(Process(workers=2).map(refuse, range(20), 1))
    assert left() == []
    results = Process(workers=2).map(refuse, range(3), 2)
    assert next(results) == 0
    assert len(left()) == 1
    assert isinstance(results, Generator)
    results.close()
    assert left() == []
    assert list(Process(workers=2).map(refuse, range(3), 2)) == [0, 1, 2]


def crash(shared, item):
    os._exit(3)


def test_a_worker_that_dies_is_one_line_and_the_next_call_has_new_ones():
    with pytest.raises(VeriloopError, match=r"a worker process died, .*fewer workers"):
        list(Process(workers=2).map(crash, [1]))
    assert left() == []
    assert list(Process(workers=2).map(refuse, [1, 2])) == [1, 2]


def test_few_items_are_taken_ahead():
    items = iter(range(100))
    results = Process(workers=2).map(refuse, (item for item in items if item != 3))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert next(items) <= 8


def test_the_scratch_directory_goes_with_its_process():
    for end, code in {"": 0, "os.kill(os.getpid(), 9)": -9}.items():
        script = (
            "import os; from veriloop.executors import process\n"
            "list(process.Process(workers=2).map(max, [1, 2], 0))\n"
            f"print(process._scratch(), flush=True); {end}"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        scratch = Path(done.stdout.strip())
        assert scratch.parent == Path(tempfile.gettempdir())
        until(lambda scratch=scratch: not scratch.exists())  # workers notice


SCRIPT = """
import os, sys, time
from veriloop.executors.process import Process

def wait(shared, item):
    print("at work\\n", end="")  # in one write, as workers do not buffer and a line's end may come late
    time.sleep(shared)

list(Process(workers=2).map(wait, range(int(sys.argv[1])), float(sys.argv[2])))
print("idle", flush=True)
time.sleep(10**6)
"""


@pytest.mark.parametrize(
    ("items", "seconds", "moment"), [(2, NEVER, "at work"), (1, NEVER, "at work"), (2, 0, "idle")]
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
        parent.communicate()
    assert not psutil.wait_procs(workers, timeout=HOUR)[1]
