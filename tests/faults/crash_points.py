"""Die before, after and half-way through each file call of a tiny run, go on, and compare every bit.

    python tests/faults/crash_points.py [--points N] [--seed S]

Each point is a child of this process, so that nothing is imported twice. Prints how many points were survived
bit for bit with no file left over; exits with 1 unless all were.
"""

import argparse
import builtins
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import safetensors.numpy

from veriloop.config import plan_from
from veriloop.loop import run
from veriloop.report.html import write_report
from veriloop.store.folder import RunFolder
from veriloop.store.verify import verify

TINY = "veriloop.testing.tiny"
PLAN: dict[str, Any] = {
    "seed": 1,
    "rounds": 2,
    "dataset": f"{TINY}:TinyData",
    "learner": f"{TINY}:TinyLearner",
    "arms": ["verified", "all_real"],
    "verifier": f"{TINY}:TinyVerifier",
    "metrics": [f"{TINY}:TinyMetric"],
    "acceptance": {"kind": "top_fraction", "fraction": 0.2},
    "schedule": {"kind": "constant", "n": 60},
    "chunk_size": 100,
    "evaluation_samples": 100,
}
When = Literal["before", "half", "after"]
CALLS = [
    "open",
    "write",
    "fsync",
    "replace",
    "rename",
    "mkdir",
    "rmdir",
    "unlink",
    "link",
    "ftruncate",
    "fchmod",
]
"""Of ``os``: what changes a folder, or may."""


class Crash:
    """Counts file calls, and kills this process at one of them."""

    def __init__(self, at: int | None, when: When) -> None:
        self.seen, self._at, self._when = 0, at, when

    def install(self) -> None:
        """Wrap the calls of this process, for good."""
        for name in CALLS:
            setattr(os, name, self._wrapped(getattr(os, name), self._half_write if name == "write" else None))
        for owner in (builtins, io):
            owner.open = self._opener(io.open)  # pyright: ignore[reportAttributeAccessIssue]
        save = safetensors.numpy.save_file
        safetensors.numpy.save_file = self._wrapped(save, self._half_weights)  # pyright: ignore

    def through(self, whole: Callable[[], Any], half: Callable[[], Any] | None) -> Any:
        """Make a call that can be died in."""
        here = self.seen == self._at
        self.seen += 1
        if not here:
            return whole()
        try:
            if self._when != "before":
                (half if half and self._when == "half" else whole)()
        finally:
            _die()

    def _wrapped(self, call: Callable[..., Any], half: Callable[..., Any] | None) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return self.through(lambda: call(*args, **kwargs), partial(half, call, *args) if half else None)

        return wrapper

    def _opener(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def opener(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
            if not set(mode) & set("wax+"):
                return call(file, mode, *args, **kwargs)
            return _Written(self.through(lambda: call(file, mode, *args, **kwargs), None), self)

        return opener

    @staticmethod
    def _half_write(write: Callable[..., Any], handle: int, data: bytes) -> None:
        write(handle, data[: len(data) // 2])

    @staticmethod
    def _half_weights(save: Callable[..., Any], tensors: Any, path: Path) -> None:
        save(tensors, path)
        os.truncate(path, Path(path).stat().st_size // 2)


class _Written:
    """A file open for writing, whose writes can be died in."""

    def __init__(self, file: Any, crash: Crash) -> None:
        self._file, self._crash = file, crash

    def write(self, data: Any) -> int:
        def half() -> None:
            self._file.write(data[: len(data) // 2])
            self._file.flush()

        return self._crash.through(lambda: self._file.write(data), half)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_Written":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def content(folder: Path) -> dict[str, object]:
    """Everything that must be equal in equal runs, and the names of all files."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        found[name] = None
        if path.is_file() and name.startswith(("round_", "real")):
            found[name] = path.read_bytes()
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    return found | {"records": [{**record, "seconds": None} for record in records]}


def in_child(work: Callable[[], object], log: Path) -> int:
    """Do ``work`` in a child; its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException as e:
            log.write_text(f"{type(e).__name__}: {e}")
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(points: int | None, seed: int) -> bool:
    """Try ``points`` of all points, or each; whether all were survived."""
    plan = plan_from(PLAN)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        log, counted = scratch / "log", scratch / "counted"

        def finish(folder: Path) -> None:
            run(plan, folder, resume="if-possible")

        def crashing(folder: Path, at: int | None, when: When) -> None:
            crash = Crash(at, when)
            crash.install()
            finish(folder)
            write_report(RunFolder(folder))
            calls = crash.seen
            counted.write_text(str(calls))

        assert in_child(lambda: crashing(scratch / "whole", None, "before"), log) == 0, log.read_text()
        total = int(counted.read_text())
        expected = content(scratch / "whole")
        whens: tuple[When, ...] = ("before", "half", "after")
        all_points: list[tuple[int, When]] = [(at, when) for at in range(total) for when in whens]
        chosen: list[tuple[int, When]] = (
            all_points if points is None else sorted(random.Random(seed).sample(all_points, points))
        )
        print(f"{total} file calls, {len(all_points)} points, of which {len(chosen)} are tried", flush=True)
        survived = 0
        for tried, (at, moment) in enumerate(chosen):
            if tried % 100 == 0:
                print(f"{survived} of {tried} so far", flush=True)
            folder = scratch / f"{at}-{moment}"
            code = in_child(partial(crashing, folder, at, moment), log)
            # Progress is told twice a second, so the last calls of one run need not be there in another.
            assert code == -signal.SIGKILL or (code == 0 and at > total - 40), (at, moment, code)
            code = in_child(lambda: (finish(folder), write_report(RunFolder(folder))), log)  # noqa: B023
            if code:
                print(f"call {at}, {moment}: cannot go on: {log.read_text()}", flush=True)
                continue
            found = content(folder)
            wrong = sorted(k for k in {*found, *expected} if found.get(k, 0) != expected.get(k, 0))
            wrong += verify(RunFolder(folder)).differ
            if wrong:
                print(f"call {at}, {moment}: differs in {', '.join(wrong)}", flush=True)
                continue
            survived += 1
            shutil.rmtree(folder)
        print(f"{survived} of {len(chosen)} points were survived, with no file left over")
    return survived == len(chosen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, help="number of random ones to try; default: all")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(not main(arguments.points, arguments.seed))
