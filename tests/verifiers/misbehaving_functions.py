"""Functions that behave well, and in every bad way there is."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np


def even(row):
    return row["n"] % 2 == 0


def half(row):
    return row["n"] / 2


def longer(row):
    return len(row["text"]) > 1, f"{len(row['text'])} letters"


def lists(row):
    return row["pixels"] == [[1, 2], [3, 4]]


def columns(row):
    return True, ",".join(row)


def answers(row):
    numpy = [np.float32(0.5), np.True_]
    return [True, 0.25, None, "yes", float("nan"), (np.False_, "bad"), (1, 2), *numpy, [], 10**400][row["n"]]


def misbehave(row):
    print("noise " * 20_000)
    print("noise", file=sys.stderr)
    what = row["text"]
    if what == "loop":
        while True:
            pass
    if what == "sleep":
        time.sleep(10**6)
    if what == "exit":
        sys.exit("enough")
    if what == "die":
        os._exit(3)
    if what == "abort":
        os.abort()
    if what == "raise":
        raise KeyError("answer")
    if what == "signal":
        os.kill(os.getpid(), 40)
        time.sleep(10**6)
    if what == "write":
        for pipe in range(3, 9000):
            with contextlib.suppress(OSError):
                os.write(pipe, b"[0, 1.0, 1, ")
        time.sleep(10**6)
    if what == "write lines":
        for pipe in range(3, 9000):
            with contextlib.suppress(OSError):
                os.write(pipe, b"[0, 1.0, 1, null]\n[" + b"[" * 4000 + b"\n")
    if what == "flood":
        for pipe in range(3, 9000):
            try:
                while True:
                    os.write(pipe, b"x" * 65536)
            except OSError:
                pass
    if what == "close":
        os.closerange(3, 100)
    if what == "close all":
        os.closerange(0, 9000)
    if what == "recurse":
        return misbehave(row) + 1
    if what == "interrupt":
        raise KeyboardInterrupt
    if what == "own group":
        os.killpg(0, 9)
    if what == "ignore":
        for number in range(1, 32):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
        time.sleep(10**6)
    if what == "mute":
        raise Mute
    return True


class Mute(Exception):
    def __str__(self):
        raise RuntimeError


def forks(row):
    """Returns twice, in two processes, the copy later or sooner; a daemon of it returns as well."""
    if row["n"] % 4 == 0:
        return True, str(row["n"])
    copy = os.fork()
    if not copy and row["n"] % 4 == 2:
        time.sleep(0.2)
    if not copy and row["n"] % 4 == 3:
        os.setsid()
        os.fork()
        os.closerange(0, 3)
        for pipe in range(3, 9000):
            with contextlib.suppress(OSError):
                os.write(pipe, b'[%d, 1.0, 1, "copy"]\n' % row["n"])
    if not copy and row["n"] % 8 == 1:
        raise ValueError("of the copy")
    return copy > 0, str(row["n"])


def long_reason(row):
    return True, "é" * row["n"]


def numbers(row):
    return [float("inf"), -float("inf"), 10**300, 1e308 * 10, b"1", 2**70, -0.0, complex(1, 2), 1e-320][
        row["n"]
    ]


def say(row):
    return True, repr(list(row.values()))


def greedy(row):
    if row["n"] == 1:
        return bool(bytearray(10**10))
    if row["n"] == 2:
        return [bytearray(10**7) for _ in range(10**4)] == 0
    return True, "small"


def killed_once(row):
    seen = pathlib.Path(__file__).with_name(f"seen-{row['n']}")
    if row["n"] in (2, 4) and not (seen.exists() and row["n"] == 2):
        seen.touch()
        os.kill(os.getpid(), 9)
    return True, str(row["n"])


def crowd(row):
    if row["n"] == 1:
        for _ in range(8):
            subprocess.Popen(["sleep", "1000062.25"], start_new_session=True)
        time.sleep(10**6)
    return subprocess.run(["true"]).returncode == 0


def leave_a_daemon(row):
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.closerange(0, 9000)
            os.execlp("sleep", "sleep", "1000063.25")
        os._exit(0)
    os.wait()
    return True


class Text(str):
    pass


def own_text(row):
    return True, Text("mine")


def leave_a_child(row):
    subprocess.Popen(["sleep", "1000061.25"])
    time.sleep(10**6)
