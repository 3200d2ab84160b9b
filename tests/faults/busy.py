"""Run a command beside busy loops, which end with it: python tests/faults/busy.py [--loops N] COMMAND ..."""

import argparse
import os
import signal
import subprocess
import sys


def spin(parent: int) -> None:
    """Keep a core busy for as long as ``parent`` is ours."""
    while os.getppid() == parent:
        for _ in range(10**6):
            pass


def main(loops: int, command: list[str]) -> int:
    """Run ``command`` beside this many loops; its exit code."""
    us, children = os.getpid(), []
    for _ in range(loops):
        if (child := os.fork()) == 0:
            spin(us)
            os._exit(0)
        children.append(child)
    try:
        return subprocess.call(command)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loops", type=int, default=4)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    sys.exit(main(given.loops, given.command))
