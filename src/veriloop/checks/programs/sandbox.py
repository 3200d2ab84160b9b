"""Bubblewrap, if it works: no network, no visible processes, and only one writable folder."""

import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def bubblewrap() -> list[str] | None:
    """Return the command that starts it, up to the folder; None if it is missing or not permitted."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    command = [program, "--unshare-all", "--die-with-parent", "--new-session", "--ro-bind", "/", "/"]
    command += ["--dev", "/dev", "--proc", "/proc"]
    for place in ("/tmp", "/run", "/var/tmp", "/root", "/home"):
        # Other people's files there can neither be read nor reached, unless Python itself is there.
        if Path(place).is_dir() and not any(Path(p).is_relative_to(place) for p in _needed()):
            command += ["--tmpfs", place]
    try:
        tried = subprocess.run([*command, sys.executable, "-c", ""], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return command if tried.returncode == 0 else None


def _needed() -> set[Path]:
    named = (sys.prefix, sys.base_prefix, sys.executable, __file__)
    return {Path(path) for path in named} | {Path(path).resolve() for path in named}


def confined(command: list[str], folder: Path, *, network: bool = False) -> list[str]:
    """Return ``command`` under bubblewrap with ``folder`` writable, or unchanged without bubblewrap."""
    start = bubblewrap()
    if start is None:
        return command
    shared = ["--share-net"] if network else []
    return [*start, *shared, "--bind", str(folder), str(folder), "--chdir", str(folder), "--", *command]
