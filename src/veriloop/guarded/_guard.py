"""The guard between this program and a process it starts; standard library only, so that it starts fast.

    python _guard.py TETHER PARENT GRACE MOST -- COMMAND...
    python _guard.py TETHER PARENT GRACE MOST MODULE.py ARGUMENT

TETHER is the number of a socket whose other end only the parent holds. When it closes, because the parent
ended in any way, or when the started process ends, all descendants of that process are ended, including those
in other sessions. Then the guard ends with the same exit status as that process. GRACE is the number of
seconds between asking (SIGTERM) and killing (SIGKILL); MOST is the largest number of further processes, or
-1. The second form calls ``main(ARGUMENT)`` of a module in a fork of this process, which saves starting
another interpreter.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

TOO_MANY, ENDED = b"m", b"e"
"""Message to the parent: there were too many processes, and all have been ended."""

SUBREAPER, DEATH_SIGNAL = 36, 1
"""Options of Linux's prctl: adopt orphaned descendants, and receive a signal when the parent ends."""

NO_START = 127
"""Exit code for a command that cannot be started, as in a shell."""

STUBBORN = 5.0
"""Seconds spent trying to end processes; one inside the kernel may not end."""


def main(tether: int, parent: int, grace: float, most: int, rest: list[str]) -> int:
    """Start the process and wait for its end or the parent's; return its exit code, negative for a signal."""
    os.set_inheritable(tether, False)
    _prctl(SUBREAPER, 1)
    guard = os.getpid()
    started = os.fork()
    if not started:
        code = NO_START
        try:
            _become(guard, tether, rest)
            code = 0
        except OSError as e:
            os.write(2, f"{' '.join(rest[1:2])}: {e.strerror}\n".encode())
        finally:
            os._exit(code)
    # The process's connection must close with it, so no other process may hold it.
    for number in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 (no pathlib here: it costs milliseconds)
        if number > 2 and number != tether:
            with suppress(OSError):  # the descriptor of the listing itself
                os.close(number)
    noticed, notice = os.pipe()
    os.set_blocking(notice, False)
    signal.set_wakeup_fd(notice, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while not _has_ended(started):
        # A fork of the parent may hold the tether too; then only the change of parent shows its end.
        if os.getppid() != parent or select.select([tether], (), (), 0)[0]:
            _ask(started, grace)
            break
        if 0 <= most < sum(1 for _ in _below(guard)) - 1:
            os.write(tether, TOO_MANY)
            break
        select.select([tether, noticed], (), (), 1.0 if most < 0 else 0.1)
        with suppress(BlockingIOError):
            os.set_blocking(noticed, False)
            os.read(noticed, 4096)
    code = _end(started, guard)
    with suppress(OSError):
        os.write(tether, ENDED)
    return code


def _become(guard: int, tether: int, rest: list[str]) -> None:
    # In a separate session, so that a signal to its whole group does not reach the guard.
    os.setsid()
    _prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != guard:
        return
    # The parent may ignore Ctrl-C, but the started process should not inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    what, *arguments = rest
    if what == "--":
        for changed in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(changed, signal.SIG_DFL)
        os.execvp(arguments[0], arguments)
    os.close(tether)
    folder, name = os.path.split(what)
    sys.path[0] = folder
    __import__(name.removesuffix(".py"))
    sys.modules[name.removesuffix(".py")].main(*arguments)


def _has_ended(started: int) -> bool:
    """Whether it has ended; it is not reaped yet, so that its id is not reused. Other children are."""
    while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        if ended.si_pid == started:
            return True
        os.waitpid(ended.si_pid, 0)
    return False


def _ask(started: int, grace: float) -> None:
    if grace <= 0:
        return
    with suppress(OSError):
        os.killpg(started, signal.SIGTERM)
    until = time.monotonic() + grace
    while not _has_ended(started) and time.monotonic() < until:
        time.sleep(0.02)


def _end(started: int, guard: int) -> int:
    # The group first, at once: a process that forks endlessly cannot outrun that.
    for kill in (os.killpg, os.kill):
        with suppress(OSError):
            kill(started, signal.SIGKILL)
    status = os.waitpid(started, 0)[1]
    until = time.monotonic() + STUBBORN
    with suppress(ChildProcessError):
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                for pid in _below(guard):
                    with suppress(OSError):
                        os.kill(pid, signal.SIGKILL)
                time.sleep(0.001)
    return os.waitstatus_to_exitcode(status)


def _below(ancestor: int) -> Iterator[int]:
    """Yield the descendants of ``ancestor``; nothing without /proc."""
    parents: dict[int, list[int]] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208
            if name.isdigit():
                with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    # The second field is the program's name in brackets, and may contain anything.
                    state, parent, *_ = file.read().rpartition(b")")[2].split()
                    if state != b"Z":
                        parents.setdefault(int(parent), []).append(int(name))
    waiting = [ancestor]
    while waiting:
        children = parents.get(waiting.pop(), [])
        yield from children
        waiting += children


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError):  # not Linux: process groups do most of the work
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_like(code: int) -> None:
    """End this process in the same way as the one it guarded."""
    if code < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError, ValueError):  # SIGKILL takes no handler
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    _end_like(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
