"""Kill runs with SIGKILL at random moments, resume them, and compare every bit with an unbroken run.

    python tests/loop/kill_and_resume.py --kills 60 --kinds all
    python tests/loop/kill_and_resume.py --kills 20 --kinds language --after chunk_stored

The kinds take turns. A kill comes so long after an event of the run as a moment drawn over the unbroken run
does, so it does not matter how fast the machine is. With ``--after`` all kills come after such an event and
before the next one: after ``chunk_stored``, in the middle of a round's candidates. Where a function judges,
the rows that it was asked are counted: chunks that were finished are not made again. Exits with 1 unless all
runs ended like unbroken ones.
"""

import argparse
import bisect
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinds_of_run import KINDS, Kind

Content = tuple[list[dict[str, Any]], dict[str, bytes]]


@dataclass(frozen=True)
class Moment:
    """``seconds`` after the event number ``events``; progress is told by the clock and does not count."""

    events: int
    seconds: float


class Folder:
    """A run's folder with all that belongs to it: configuration, files, and what people have said."""

    def __init__(self, path: Path, kind: Kind) -> None:
        path.mkdir()
        self._path, self._kind, self.run = path, kind, path / "run"
        kind.prepare(path)
        (path / "config.yaml").write_text(kind.config.replace("FOLDER", str(path)))

    def content(self) -> Content:
        """The records without wall-clock times, and every file of every round."""
        records = [json.loads(line) for line in (self.run / "records.jsonl").read_text().splitlines()]
        for record in records:
            del record["seconds"]
        files = (p for p in self.run.glob("round_*/**/*") if p.is_file())
        return records, {str(p.relative_to(self.run)): p.read_bytes() for p in files}

    def events(self) -> list[dict[str, Any]]:
        """What the run has said so far."""
        path = self.run / "events.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if event["event"] != "progress"]

    def asked(self) -> int:
        """How many rows a function was asked about."""
        path = self._path / "asked"
        return path.stat().st_size if path.exists() else 0

    def finish(self) -> None:
        """Run it, or go on with it, to its end."""
        while True:
            process = self._start()
            said = process.communicate()[1]
            if process.returncode:
                raise SystemExit(f"a run cannot go on: {said}")
            if not self._waits():
                return
            self._people_judge()

    def killed_at(self, moment: Moment) -> bool:
        """Run it until ``moment`` and kill it; whether it was at work then."""
        while True:
            process = self._start()
            while process.poll() is None and len(self.events()) < moment.events:
                time.sleep(0.005)
            if process.poll() is None:
                time.sleep(moment.seconds)
                process.kill()
            process.communicate()
            if process.returncode == -9 or not self._waits():
                return process.returncode == -9
            self._people_judge()

    def _start(self) -> subprocess.Popen[str]:
        veriloop = str(Path(sys.executable).with_name("veriloop"))
        begin = [veriloop, "run", "config.yaml", "--out", "run", "--plain"]
        there = (self.run / "manifest.json").exists()
        return subprocess.Popen(
            [veriloop, "resume", "run", "--plain"] if there else begin,
            cwd=self._path,
            env={**os.environ, "PYTHONPATH": str(self._path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _waits(self) -> bool:
        return json.loads((self.run / "manifest.json").read_text())["status"] == "waiting"

    def _people_judge(self) -> None:
        from veriloop.verifiers.human.desk import Desk

        desk = Desk(f"sqlite:///{self._path}/people.db")
        for task in desk.take("ann", 1_000):
            desk.record("ann", task.key, "reject" if int(task.key, 16) % 8 == 0 else "accept")


@dataclass(frozen=True)
class Unbroken:
    """What a run leaves that nobody has killed, and when its events were."""

    content: Content
    asked: int
    times: list[float]
    kinds: list[str]

    @staticmethod
    def of(folder: Folder) -> "Unbroken":
        began = time.time()
        folder.finish()
        events = folder.events()
        times, kinds = [event["at"] for event in events], [event["event"] for event in events]
        return Unbroken(folder.content(), folder.asked(), [began, *times], kinds)

    def moment(self, rng: random.Random, after: str | None) -> Moment:
        """Any moment of it is as likely as any other; or one between any event ``after`` and the next."""
        if after is not None:
            events = rng.choice([i + 1 for i, kind in enumerate(self.kinds[:-1]) if kind == after])
            return Moment(events, rng.uniform(0, self.times[events + 1] - self.times[events]))
        at = rng.uniform(self.times[0], self.times[-1])
        events = bisect.bisect_right(self.times, at) - 1
        return Moment(events, at - self.times[events])


def main(kills: int, kinds: list[str], seed: int, after: str | None) -> bool:
    """Kill ``kills`` runs; whether all of them ended equal to the unbroken ones."""
    rng, equal, stages = random.Random(seed), Counter[str](), Counter[str]()
    again: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as scratch:
        unbroken: dict[str, Unbroken] = {}
        for number in range(kills):
            name = kinds[number % len(kinds)]
            if name not in unbroken:
                unbroken[name] = found = Unbroken.of(Folder(Path(scratch) / name, KINDS[name]))
                seconds = found.times[-1] - found.times[0]
                print(f"{name}, unbroken: {seconds:.1f} s, {len(found.content[1])} files", flush=True)
            expected, path = unbroken[name], Path(scratch) / f"{name}-{number}"
            while not (folder := Folder(path, KINDS[name])).killed_at(moment := expected.moment(rng, after)):
                shutil.rmtree(path)  # it was over before the kill, or waited for people
            events = folder.events()
            last = next((e["stage"] for e in reversed(events) if e["event"] == "stage_started"), "start")
            stages[last] += 1
            folder.finish()
            same = folder.content() == expected.content
            equal[name] += same
            line = f"{name}, killed {moment.seconds:.2f} s after event {moment.events} ({last})"
            if rows := KINDS[name].rows:
                chunks = math.ceil((folder.asked() - expected.asked) / rows)
                again[name] = max(again.get(name, 0), chunks)
                line += f", chunks made again: {chunks}"
            print(f"{number + 1}: {line}: {'equal' if same else 'DIFFERENT'}", flush=True)
            shutil.rmtree(path)
    print(f"killed in: {', '.join(f'{stage} {n}' for stage, n in stages.most_common())}")
    print(
        f"{equal.total()} of {kills} killed runs ended bit for bit like unbroken ones"
        f" ({', '.join(f'{name} {equal[name]}' for name in kinds)})"
        + (f"; chunks made again after a kill, at most: {again}" if again else "")
    )
    return equal.total() == kills


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--kinds", default="all", help=f"all, or some of {','.join(KINDS)}")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--after", help="kill after events of this kind only, such as chunk_stored")
    given = parser.parse_args()
    chosen = [*KINDS] if given.kinds == "all" else given.kinds.split(",")
    sys.exit(not main(given.kills, chosen, given.seed, given.after))
