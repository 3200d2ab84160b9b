"""Stands between us and a process that we start; of the standard library only, so that it starts fast.

    python _guard.py TETHER PARENT GRACE MOST -- COMMAND...
    python _guard.py TETHER PARENT GRACE MOST MODULE.py ARGUMENT

TETHER is the number of a socket whose other end only the parent holds: when it closes, by whatever end of the
parent, or when the process that was started ends, everything that descends from that process is ended, those
too that made themselves sessions of their own. Then the guard ends as that process did. GRACE is how many
seconds there are between asking (SIGTERM) and ending (SIGKILL); MOST is how many processes beside the one
started there may be, or -1. The second form calls ``main(ARGUMENT)`` of a module in a fork of this process,
which saves the start of another interpreter.
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
"""What the parent is told: there were more processes than may be; all have been ended."""

SUBREAPER, DEATH_SIGNAL = 36, 1
"""Of Linux's prctl: whoever is orphaned below us becomes our child; and what we get when our parent ends."""

NO_START = 127
"""The exit code of a command that cannot be started, as in a shell."""

STUBBORN = 5.0
"""Seconds for which we try to end what does not end; a process in the kernel may not."""


def main(tether: int, parent: int, grace: float, most: int, rest: list[str]) -> int:
    """Start the process, wait for its end or the parent's; what it ended with, negative for a signal."""
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
    # What the process speaks over must close with it, so nobody else may hold it.
    for number in map(int, os.listdir("/dev/fd")):  # noqa: PTH208 (no pathlib here: it costs milliseconds)
        if number > 2 and number != tether:
            with suppress(OSError):  # the listing's own
                os.close(number)
    noticed, notice = os.pipe()
    os.set_blocking(notice, False)
    signal.set_wakeup_fd(notice, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while not _has_ended(started):
        # A fork of the parent may hold the tether too: then only the change of parent tells.
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
    # A session of its own: a signal to its whole group does not reach the guard.
    os.setsid()
    _prctl(DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != guard:
        return
    # Whoever started us may ignore Ctrl-C; what we start has not asked for that.
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
    """Whether it has; it is not reaped, so that its number stays its own. Others that ended are."""
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
    # The group first, in one stroke: a process that forks without end cannot outrun that.
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
    """The processes that descend from ``ancestor``; none where there is no /proc."""
    parents: dict[int, list[int]] = {}
    with suppress(OSError):
        for name in os.listdir("/proc"):  # noqa: PTH208
            if name.isdigit():
                with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    # The second field is the program's name, in brackets, and may hold anything.
                    state, parent, *_ = file.read().rpartition(b")")[2].split()
                    if state != b"Z":
                        parents.setdefault(int(parent), []).append(int(name))
    waiting = [ancestor]
    while waiting:
        children = parents.get(waiting.pop(), [])
        yield from children
        waiting += children


def _prctl(option: int, value: int) -> None:
    with suppress(AttributeError):  # not Linux: process groups do most of it
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _end_like(code: int) -> None:
    """End this process as the one it stood for."""
    if code < 0:
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError, ValueError):  # SIGKILL needs no handler, and takes none
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    _end_like(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]))
