"""Who writes to a run folder, and whether that process lives."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from veriloop.errors import RunLockedError
from veriloop.store.folder import RunFolder
from veriloop.store.heartbeat import DEAD, LOCK, holder_of

from ..patience import NEVER, until

HOLD = "import sys, time; from pathlib import Path; from veriloop.store.folder import RunFolder\n"
HOLD += f"with RunFolder(Path(sys.argv[1])).lock():\n    print('held', flush=True); time.sleep({NEVER})\n"


def test_a_holder_is_alive_until_it_is_killed(tmp_path: Path) -> None:
    assert not holder_of(tmp_path).alive, "nobody has ever written here"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            found = holder_of(tmp_path)
            assert found.alive
            assert found.name.startswith(f"process {process.pid} on ")
            with (
                pytest.raises(RunLockedError, match=f"process {process.pid} on "),
                RunFolder(tmp_path).lock(),
            ):
                pass
        finally:
            process.send_signal(signal.SIGKILL)
    until(lambda: not holder_of(tmp_path).alive)
    found = holder_of(tmp_path)
    assert found.seen is not None
    assert found.seen <= datetime.now(UTC)
    with RunFolder(tmp_path).lock():
        assert holder_of(tmp_path).name.startswith(f"process {os.getpid()} on ")


def test_a_holder_on_another_machine_is_judged_by_its_last_sign(tmp_path: Path) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)

    def alive(ago: float, host: str = "another") -> bool:
        seen = (now - timedelta(seconds=ago)).isoformat()
        (tmp_path / LOCK).write_text(f"process 7 on {host}\n{seen}\n")
        return holder_of(tmp_path, now).alive

    assert alive(DEAD - 1)
    assert not alive(DEAD + 1)
    assert not alive(1, os.uname().nodename), "on this machine the lock itself answers"
    (tmp_path / LOCK).write_text("process 7 on another\n")
    assert not holder_of(tmp_path, now).alive, "an earlier version gave no signs of life"
    (tmp_path / LOCK).write_bytes(b"\xff\x00")
    assert not holder_of(tmp_path, now).alive


def test_many_who_look_do_not_keep_a_writer_out(tmp_path: Path) -> None:
    with RunFolder(tmp_path).lock():
        pass
    look = "import sys; from pathlib import Path; from veriloop.store.heartbeat import holder_of\n"
    look += "while True: holder_of(Path(sys.argv[1]))"
    with subprocess.Popen([sys.executable, "-c", look, tmp_path]) as process:
        try:
            for _ in range(200):
                with RunFolder(tmp_path).lock():
                    pass
        finally:
            process.kill()


def test_looking_changes_nothing(tmp_path: Path) -> None:
    with RunFolder(tmp_path).lock():
        pass
    (tmp_path / LOCK).chmod(0o400)
    tmp_path.chmod(0o500)
    before = (tmp_path / LOCK).read_bytes(), (tmp_path / LOCK).stat().st_mtime_ns
    try:
        assert not holder_of(tmp_path).alive
        assert before == ((tmp_path / LOCK).read_bytes(), (tmp_path / LOCK).stat().st_mtime_ns)
    finally:
        tmp_path.chmod(0o700)
