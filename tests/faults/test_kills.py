"""Kill -9 of whatever there is in a run: it goes on, or ends in one line, and nobody is left."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from .conftest import Family

CONFIG = """
seed: 3
rounds: 1
dataset: {kind: digits, start: 30}
learner: {kind: cvae, levels: 16, latent_dim: 4, channels: [4, 8], epochs: 1, patience: null}
verifier: {kind: function, function: "slow_checks:bright", workers: 2, timeout: 3600}
schedule: {kind: constant, n: 40}
arms: [verified]
metrics: [nelbo]
evaluation_samples: 50
chunk_size: 20
parallel: chunks
executor: {kind: process, workers: 2}
"""

CHECKS = """
import os, pathlib, time

def bright(row):
    pathlib.Path("judging").touch()
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.execlp("sleep", "sleep", "infinity")
        os._exit(0)
    while pathlib.Path("hold").exists():
        time.sleep(0.02)
    return sum(map(sum, row["pixels"])) % 3 > 0
"""

SERVER = """
import http.server, json, os, subprocess, sys, time
subprocess.Popen(["sleep", "infinity"])
subprocess.Popen(["sleep", "infinity"], start_new_session=True)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"{}")
    def do_POST(self):
        open("asked", "w").close()
        time.sleep(10**6)
    def log_message(self, *args): pass

port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

ASKING = """
from pathlib import Path
import numpy as np
from veriloop.errors import VeriloopError
from veriloop.learners._language.backends import Decoding, Started, ask, started

try:
    with started(Started(retries=1), Path("model")) as server:
        ask(server.remote, ["A prompt"], Decoding(), np.random.default_rng(0))
except VeriloopError as e:
    raise SystemExit(f"error: {e}")
"""


ENDING = """
import pathlib, time
from veriloop.guarded.process import GuardedProcess

process = GuardedProcess(["stubborn"], grace=0.5)
while not pathlib.Path("up").exists():
    time.sleep(0.02)
process.end()
print(process.poll())
"""


@pytest.fixture(autouse=True)
def checks(family) -> None:
    (family.folder / "slow_checks.py").write_text(CHECKS)


def content(folder: Path) -> tuple[list[dict], dict[str, bytes]]:
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    for record in records:
        del record["seconds"]
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("round_*/**/*") if p.is_file()}
    return records, files


def events(folder: Path, event: str) -> list[dict]:
    lines = (folder / "events.jsonl").read_text().splitlines()
    return [found for line in lines if (found := json.loads(line))["event"] == event]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> tuple[list[dict], dict[str, bytes]]:
    """What an unbroken run leaves."""
    family = Family(tmp_path_factory.mktemp("whole"))
    (family.folder / "slow_checks.py").write_text(CHECKS)
    run = family.run(CONFIG, "whole")
    said = run.communicate()
    assert run.returncode == 0, said
    return content(family.folder / "whole")


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["loky", "the guard", "the function's process"])
def test_a_killed_process_of_a_run_is_replaced_and_the_bits_are_the_same(family, whole, victim) -> None:
    (family.folder / "hold").touch()
    run = family.run(CONFIG, "killed")
    family.wait((family.folder / "judging").exists)
    if victim == "loky":
        killed = [p for p in family.members("loky") if "resource_tracker" not in " ".join(p.cmdline())][:1]
    else:
        workers = family.members("_row_worker")
        guards = [p for p in workers if p.parent() not in workers]
        killed = guards[:1] if victim == "the guard" else [p for p in workers if p not in guards][:1]
    assert killed
    for process in killed:
        process.kill()
    (family.folder / "hold").unlink()
    said = run.communicate()
    assert run.returncode == 0, said
    assert "Traceback" not in said[1]
    assert content(family.folder / "killed") == whole
    lost = events(family.folder / "killed", "worker_lost")
    assert [event["try"] for event in lost] == ([1] if victim == "loky" else [])
    family.wait_for_the_end_of_all()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_nobody_outlives_a_run(family, how) -> None:
    (family.folder / "hold").touch()
    run = family.run(CONFIG, "run")
    family.wait(lambda: family.members("sleep"))  # the function has left daemons
    assert len(family.members("_row_worker")) >= 2
    # Ctrl-C goes to the whole group of the terminal, a kill to one process.
    os.killpg(run.pid, how) if how == signal.SIGINT else run.send_signal(how)
    run.wait()
    family.wait_for_the_end_of_all()
    said = run.communicate()
    assert "Traceback" not in said[1]
    assert run.returncode != 0


@pytest.mark.parametrize("how", ["the run", "the guard", "the server"])
def test_nobody_outlives_a_model_server(family, how) -> None:
    family.install("vllm", SERVER)
    (family.folder / "asking.py").write_text(ASKING)
    asking = family.start(sys.executable, "asking.py")
    family.wait((family.folder / "asked").exists)
    assert len(family.members("sleep")) == 2
    server = [p for p in family.members("bin/vllm") if "_guard" not in " ".join(p.cmdline())]
    assert len(server) == 1
    victim = {"the run": asking.pid, "the server": server[0].pid, "the guard": server[0].ppid()}[how]
    os.kill(victim, signal.SIGKILL)
    said = asking.communicate()[1]
    if how != "the run":
        assert said.startswith("error: ")
        assert "http://127.0.0.1" in said
        assert said.count("\n") == 1
    family.wait_for_the_end_of_all()


def test_an_interrupted_server_is_ended(family) -> None:
    family.install("vllm", SERVER)
    (family.folder / "asking.py").write_text(ASKING)
    asking = family.start(sys.executable, "asking.py")
    family.wait((family.folder / "asked").exists)
    asking.terminate()
    asking.communicate()
    family.wait_for_the_end_of_all()


def test_a_server_that_does_not_end_when_asked_is_ended(family) -> None:
    ignoring = "import signal, time\nsignal.signal(15, signal.SIG_IGN)\nopen('up', 'w')\ntime.sleep(10**6)"
    family.install("stubborn", ignoring)
    (family.folder / "ending.py").write_text(ENDING)
    assert family.start(sys.executable, "ending.py").communicate()[0] == f"{-signal.SIGKILL}\n"
    family.wait_for_the_end_of_all()
