"""The Ray executor on a real cluster of two nodes, each with its own processes and object store."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from veriloop.config import plan_from
from veriloop.errors import ConfigError, DataError, MissingExtraError, VeriloopError
from veriloop.executors._retry import told_of_lost_workers
from veriloop.executors.ray import Ray
from veriloop.executors.serial import Serial
from veriloop.linear import simulate
from veriloop.loop import run
from veriloop.testing import check_executor
from veriloop.theory import LinearSystem

from ..patience import HOUR, until

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'veriloop[ray]'")

# Workers cannot import a test module, so its functions travel by value.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])

NODE = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
TINY = "veriloop.testing.tiny"
CONFIG = {
    "seed": 1,
    "rounds": 2,
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


@pytest.fixture(scope="module")
def cluster():
    from ray.cluster_utils import Cluster

    # A short path, because sockets live in it; and not Ray's usual one, where the user's clusters live.
    with tempfile.TemporaryDirectory(prefix="ray-") as scratch, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", scratch)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        before = psutil.Process().children(recursive=True)
        # A dead node is noticed after 2 seconds instead of 15.
        checks = {"health_check_period_ms": 500, "health_check_failure_threshold": 4}
        cluster = Cluster(initialize_head=True, head_node_args={**NODE, "_system_config": checks})
        cluster.add_node(**NODE)
        yield cluster
        processes = [p for p in psutil.Process().children(recursive=True) if p not in before]
        ray.shutdown()
        cluster.shutdown()
        assert not psutil.wait_procs(processes, timeout=HOUR)[1], "the cluster left processes behind"


@pytest.fixture
def on_cluster(cluster):
    return Ray(address=cluster.address)


def test_contract(on_cluster):
    check_executor(on_cluster)


def where(shared, item):
    time.sleep(0.2)
    return item * shared, ray.get_runtime_context().get_node_id()


def test_both_nodes_compute_and_the_order_is_that_of_the_items(on_cluster):
    nodes = set()

    def both_have_computed():  # on a busy machine the second node's workers may start late
        results = list(on_cluster.map(where, range(12), 3))
        assert [result for result, _ in results] == list(range(0, 36, 3))
        nodes.update(node for _, node in results)
        return len(nodes) == 2

    until(both_have_computed)


def test_few_items_are_taken_ahead(on_cluster):
    items = iter(range(100))
    results = Ray(address=on_cluster.address, workers=2).map(where, items, 1)
    assert [next(results)[0] for _ in range(3)] == [0, 1, 2]
    assert next(items) <= 5


def change(shared, item):
    item += 1
    return shared + item, shared.flags.writeable


def test_arrays_can_be_changed_here_and_there(on_cluster):
    shared = np.zeros(50_000)
    items = [np.full(50_000, i) for i in range(4)]
    for number, (result, writeable) in enumerate(on_cluster.map(change, items, shared)):
        result += 1
        assert (result == number + 2).all()
        assert writeable, "not a view into Ray's store, which would pin it"
    assert not shared.any()


class Counted:
    def __init__(self, folder):
        self.folder = folder

    def __setstate__(self, state):
        self.__dict__.update(state)
        (self.folder / f"{os.getpid()}-{time.perf_counter_ns()}").touch()


def rest(shared, item):
    time.sleep(0.1)
    return os.getpid()


def test_a_worker_unpickles_what_is_shared_once(on_cluster, tmp_path):
    workers = set(on_cluster.map(rest, range(20), Counted(tmp_path)))
    assert len([*tmp_path.iterdir()]) == len(workers) < 20


def refuse(shared, item):
    if item == 2:
        raise DataError("column 'x'", got=item, expected="1", fix="look\nat it")
    return 1 // (item - 3)


def test_errors_are_those_of_the_function(on_cluster):
    with pytest.raises(DataError) as caught:
        list(on_cluster.map(refuse, range(5)))
    assert type(caught.value) is DataError
    assert str(caught.value) == "column 'x': got 2, expected 1. Look at it"
    assert "in refuse" in str(caught.value.__cause__)
    with pytest.raises(ZeroDivisionError) as other:
        list(on_cluster.map(refuse, [3]))
    assert type(other.value) is ZeroDivisionError


def crash(shared, item):
    os._exit(1)


def test_a_task_that_always_kills_its_worker_is_given_up(on_cluster, monkeypatch):
    told = []
    monkeypatch.setattr("veriloop.executors.ray.TRIES", 1)  # each costs the start of a worker
    lost = pytest.raises(VeriloopError, match=r"lost a task.* got 'WorkerCrashedError'")
    with lost, told_of_lost_workers(told.append):
        list(on_cluster.map(crash, [1]))
    assert [event.what for event in told] == ["the Ray cluster lost a task (WorkerCrashedError)"]
    assert told[0].try_ == 1


def wait_for_the_kill(folder, item):
    (folder / f"{item} {ray.get_runtime_context().get_node_id()}").touch()
    while item >= 4 and not (folder / "killed").exists():
        time.sleep(0.02)
    return np.full(50_000, item)  # so large that it stays on its node until it is asked for


def test_a_node_that_dies_half_way_changes_nothing(cluster, tmp_path):
    doomed = cluster.add_node(**NODE)
    results = Ray(address=cluster.address, workers=12).map(wait_for_the_kill, range(12), tmp_path)
    got = [next(results) for _ in range(2)]
    until(lambda: any((tmp_path / f"{item} {doomed.node_id}").exists() for item in range(4, 12)))
    cluster.remove_node(doomed, allow_graceful=False)
    (tmp_path / "killed").touch()
    told = []
    with told_of_lost_workers(told.append):
        got += results
    assert told, "what a dead node loses is an event"
    assert {lost.try_ for lost in told} <= {1, 2, 3}
    assert [array.tolist() for array in got] == [[item] * 50_000 for item in range(12)]
    started = [int(path.name.split()[0]) for path in tmp_path.glob("* *")]
    assert len(started) > len(set(started)) == 12, "something should have been computed twice"


def content(folder):
    """All that must be equal between equal runs."""
    records = [json.loads(line) for line in (folder.path / "records.jsonl").read_text().splitlines()]
    for record in records:
        del record["seconds"]
    files = folder.path.glob("round_*/**/*")
    return records, {str(p.relative_to(folder.path)): p.read_bytes() for p in files if p.is_file()}


def test_a_whole_run_is_the_same_bit_for_bit(on_cluster, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the cluster was started elsewhere; relative paths must do all the same
    serial = content(run(plan_from(CONFIG), "serial"))
    assert len(serial[0]) == 8
    for parallel in ("arms", "chunks"):
        spread = {**CONFIG, "executor": {"kind": "ray", "address": on_cluster.address}, "parallel": parallel}
        assert content(run(plan_from(spread), parallel)) == serial


class Waiting(Ray, frozen=True):
    """Chunks from the fifth on are not done before the node has been killed, and never on that node."""

    folder: str

    def map(self, function, items, shared=None):
        waiting = partial(do_and_wait_for_the_kill, Path(self.folder), function)
        return super().map(waiting, items, shared)


def do_and_wait_for_the_kill(folder, function, shared, item):
    result, node = function(shared, item), ray.get_runtime_context().get_node_id()
    (folder / f"{item.number} {node}").touch()
    # A worker may live for a moment longer than its node.
    while item.number >= 4 and (not (folder / "killed").exists() or (folder / "doomed").read_text() == node):
        time.sleep(0.02)
    return result


def test_a_node_that_dies_in_the_middle_of_a_round_changes_no_bit(cluster, tmp_path):
    seen = tmp_path / "seen"
    seen.mkdir()
    config = {**CONFIG, "rounds": 1, "arms": ["verified"], "chunk_size": 50}  # 12 chunks
    serial = content(run(plan_from(config), tmp_path / "serial"))
    doomed = cluster.add_node(**NODE)
    (seen / "doomed").write_text(doomed.node_id)
    killing = threading.Thread(target=kill_in_the_middle, args=(cluster, doomed, seen))
    killing.start()
    executor = Waiting(address=cluster.address, workers=12, folder=str(seen))
    plan = plan_from({**config, "parallel": "chunks"}).model_copy(update={"executor": executor})
    try:
        folder = run(plan, tmp_path / "spread")
    finally:
        (seen / "killed").touch()
        killing.join()
    assert content(folder) == serial
    made = [path.name.split()[0] for path in seen.glob("* *")]
    assert len(made) > len(set(made)) == 12, "some chunk should have been made twice"


def kill_in_the_middle(cluster, doomed, seen):
    while not (seen / "killed").exists():
        at_work = [int(path.name.split()[0]) for path in seen.glob(f"* {doomed.node_id}")]
        if any(number >= 4 for number in at_work):
            cluster.remove_node(doomed, allow_graceful=False)
            (seen / "killed").touch()
        time.sleep(0.02)


def test_the_linear_system_is_the_same_bit_for_bit(on_cluster):
    system = LinearSystem(
        np.zeros(4), np.full(4, 0.1), 0.5, singular_values=np.arange(1.0, 5.0), directions=np.eye(4)
    )
    here, there = (simulate(system, 100, 2, 12_000, seed=3, executor=e) for e in (Serial(), on_cluster))
    assert there.mse_star.tolist() == here.mse_star.tolist()
    assert there.mse_center_se.tolist() == here.mse_center_se.tolist()


def test_a_process_has_one_cluster_and_tasks_must_fit_it(on_cluster):
    list(on_cluster.map(where, [], 1))
    with pytest.raises(ConfigError, match=r"is already connected to the Ray cluster .*"):
        list(Ray().map(where, [], 1))
    with pytest.raises(ConfigError, match="no more cpus and gpus than one node of the cluster has"):
        list(Ray(address=on_cluster.address, gpus=1).map(where, [], 1))


def test_an_address_of_another_form_is_refused():
    with pytest.raises(ConfigError, match="expected local, auto or host:port"):
        plan_from({**CONFIG, "executor": {"kind": "ray", "address": "ray://here:10001"}})


def test_ray_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'veriloop\[ray\]'"):
        list(Ray().map(where, [1], 1))


SCRIPT = """
import psutil, time
from veriloop.errors import ConfigError
from veriloop.executors.ray import Ray
from veriloop.testing import check_executor

try:
    list(Ray(address="127.0.0.1:1").map(print, [1]))
except ConfigError as e:
    assert str(e).startswith("cannot connect to the Ray cluster '127.0.0.1:1' (ConnectionRefusedError"), e
check_executor(Ray())
print(*(child.pid for child in psutil.Process().children(recursive=True)), flush=True)
time.sleep(10**6)
"""


def test_a_local_cluster_is_quiet_and_dies_with_a_killed_parent(tmp_path):
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as scratch:
        parent = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAY_TMPDIR": scratch, "HOME": str(tmp_path)},  # Ray keeps a token at home
        )
        assert parent.stdout is not None
        children = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        # Ray's two agents serve nobody then, and notice it after a minute.
        agents = [child for child in children if child.name().endswith("Agent")]
        parent.kill()
        assert parent.communicate() == ("", "")
        others = [child for child in children if child not in agents]
        assert len(others) >= 3  # Ray's two servers, and a worker
        assert not psutil.wait_procs(others, timeout=HOUR)[1]
        for agent in agents:
            agent.kill()
