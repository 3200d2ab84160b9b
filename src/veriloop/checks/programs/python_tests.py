"""Check whether code passes its tests, in a process isolated from this one."""

import json
import os
import re
import secrets
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from veriloop.guarded.process import GuardedProcess

from .sandbox import bubblewrap, confined

RUNNER = Path(__file__).with_name("_run_tests.py")

FENCE = re.compile(r"```[ \t]*(?:python|py|python3)?[ \t]*\r?\n(.*?)(?:```|\Z)", re.S | re.I)

OWN = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1", "PATH": os.defpath, "LANG": "C.UTF-8"}
"""Environment of the code: nothing from this process, whose environment may contain keys."""

BESIDE = 2
"""Further processes with bubblewrap: its own second one, and the one it starts."""


def check(
    row: dict[str, Any],
    *,
    text: str,
    tests: str,
    call: str | None,
    prompt: str | None,
    timeout: float,
    memory: int | None,
    files: int,
    processes: int,
) -> tuple[Any, str]:
    """Return True, False, or None if there are no tests; and the reason."""
    wanted = _tests(row[tests])
    if not wanted.strip():
        return None, f"no tests in column {tests!r}"
    blocks = FENCE.findall(row[text])
    code = blocks[-1] if blocks else row[text]
    if prompt is not None and not blocks and isinstance(row[prompt], str):
        code = row[prompt] + code
    with tempfile.TemporaryDirectory(prefix="veriloop-", ignore_cleanup_errors=True) as folder:
        order = {"code": code, "tests": wanted, "call": row[call] if call else None, "folder": folder}
        limits = {"timeout": timeout, "memory": memory, "files": files, "processes": processes}
        return _ran(order | limits, Path(folder))


def _tests(value: Any) -> str:
    """Return tests as code: a list of statements, or such a list as JSON, becomes one statement per line."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    if isinstance(value, list):
        return "\n".join(str(one) for one in value)
    return str(value)


def _ran(order: dict[str, Any], folder: Path) -> tuple[bool | None, str]:
    secret = secrets.token_hex(16)
    ours, theirs = socket.socketpair()
    with ours:
        command = [sys.executable, "-s", "-B", "-P", "-X", "utf8", str(RUNNER), str(theirs.fileno())]
        try:
            process = GuardedProcess(
                confined(command, folder),
                keep=[theirs.fileno()],
                most=order["processes"] + (BESIDE if bubblewrap() else 0),
                folder=folder,
                env=OWN | {"HOME": str(folder), "TMPDIR": str(folder)},
                bare=True,
            )
        finally:
            theirs.close()
        try:
            said = _talk(ours, json.dumps(order | {"secret": secret}).encode(), order["timeout"])
        finally:
            code = process.poll() if process.poll() is not None else process.wait(0.2)
            process.end()
    if said is None:
        return False, f"took longer than {order['timeout']:g} s"
    try:
        word, passed, why = json.loads(said)
    except (ValueError, TypeError):
        if process.had_too_many():
            return False, f"started more than {order['processes']} processes"
        ended = "" if code is None else f", with exit code {code}"
        return False, f"ended before its tests finished{ended}"
    if not secrets.compare_digest(str(word), secret):
        return False, str(why) or "answered in place of its tests"
    return passed, why


def _talk(channel: socket.socket, order: bytes, timeout: float) -> bytes | None:
    """Return the answer; None if it takes longer than ``timeout``."""
    until, heard = time.monotonic() + timeout, b""
    try:
        channel.settimeout(timeout)
        channel.sendall(order)
        channel.shutdown(socket.SHUT_WR)
        while len(heard) < 1 << 16:
            channel.settimeout(max(until - time.monotonic(), 0.001))
            piece = channel.recv(1 << 12)
            if not piece:
                break
            heard += piece
            if heard.endswith(b"]"):
                break
    except TimeoutError:
        return None
    except OSError:
        pass
    return heard
