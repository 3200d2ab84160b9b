"""Plans that are broken in some way: each must be refused in one line, or run.

    python tests/faults/fuzz_plans.py --plans 2000

Each goes through ``validate`` in this process. A plan that it accepts is cut to a tiny size, checked again,
and run if it is still accepted. A traceback, an error of more than one line, or a plan that takes too long is
a failure; the exit code is then 1.
"""

import argparse
import faulthandler
import io
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

from broken_plans import mutated

SECONDS = 60
"""So much processor time a plan may take; most take milliseconds. A slow machine does not change it."""

HOUR = 3600
"""So long may pass without an end: what sleeps for ever takes no processor time."""

MEMORY = 8 * 2**30
"""So much address space this process has: a plan that asks for more is told so, and the machine lives on."""


class Slow(BaseException):
    """A plan took too long. No Exception, so that nobody takes it for a part's own error."""


class Outcome(NamedTuple):
    """What became of a plan: ``refused``, ``ran``, ``ended`` (in one line), or ``failed`` and how."""

    what: str
    detail: str = ""


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `Slow` in here when it takes more processor time."""

    def late(number: int, frame: Any) -> None:
        raise Slow("".join(traceback.format_stack(frame, limit=8)))

    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    # What sleeps, or does not come back to Python, is shown, and ends all.
    faulthandler.dump_traceback_later(HOUR, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        faulthandler.cancel_dump_traceback_later()


def veriloop(*arguments: str) -> tuple[int, str]:
    """The command line in this process: its exit code, and what it said of mistakes.

    Raises:
        BaseException: Whatever would have been a traceback.
    """
    from veriloop.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    warnings.simplefilter("ignore")  # of NumPy about odd numbers
    before, sys.argv = sys.argv, ["veriloop", *arguments]
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as e:
        code = e.code
        return code if isinstance(code, int) else 0, err.getvalue()
    finally:
        sys.argv = before
    return 0, err.getvalue()


def tiny(value: Any, key: Any = None) -> Any:
    """The plan at a size that runs in a moment; small and wrong numbers stay."""
    if isinstance(value, dict):
        # The published images are 60,000 where the machine has them.
        some = {"train": 100} if value.get("kind") in ("mnist", "fashion-mnist") else {}
        return some | {name: tiny(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [tiny(inner, key) for inner in value]
    most = {"rounds": 1, "epochs": 1, "threads": 1, "workers": 1, "min_steps": 2, "max_candidates": 60}.get(
        key, 40
    )
    if isinstance(value, int) and not isinstance(value, bool) and value > most and key != "seed":
        return most
    if key in ("timeout", "max_seconds", "seconds", "patience") and isinstance(value, int | float):
        return min(value, 5)
    return value


def judge(text: str, folder: Path) -> Outcome:
    """Validate the plan ``text``, and run it at a tiny size if that accepts it; never raises."""
    path = folder / "plan.yaml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    stage = "validate"
    try:
        with limit(SECONDS):
            code, said = veriloop("validate", str(path))
            if code or said:
                return _one_line(code, said, "refused")
            from veriloop.yaml_1_2 import read_yaml

            plan = tiny(read_yaml(text, "plan"))
            if isinstance(plan.get("executor"), dict | str):
                plan.pop("executor")  # one process is enough to find out
            plan.setdefault("max_candidates", 60)
            learner = plan.get("learner")
            if isinstance(learner, dict) and isinstance(decoding := learner.setdefault("decoding", {}), dict):
                if learner.get("kind") == "causal_lm":
                    decoding.setdefault("max_new_tokens", 4)
                elif not decoding:
                    del learner["decoding"]
            small = folder / "tiny.json"  # JSON is YAML
            small.write_text(
                json.dumps(plan, ensure_ascii=True).replace("NaN", ".nan").replace("Infinity", ".inf")
            )
            stage = "run"
            out = folder / "out"
            shutil.rmtree(out, ignore_errors=True)
            code, said = veriloop("run", str(small), "--out", str(out), "--json")
            return _one_line(code, said, "ended") if code else Outcome("ran")
    except Slow as e:
        return Outcome("failed", f"{stage}: slow\n{e}")
    except BaseException:
        return Outcome("failed", f"{stage}: {traceback.format_exc()}")


def _one_line(code: int, said: str, what: str) -> Outcome:
    lines = said.strip().splitlines()
    if code == 2 and len(lines) == 1 and lines[0].startswith("error: "):
        return Outcome(what, lines[0])
    return Outcome("failed", f"exit code {code}, and said: {said[-2_000:] or 'nothing'}")


@contextmanager
def workshop() -> Iterator[Path]:
    """A working directory with the files that the sound plans name."""
    rows = [{"n": i, "question": f"{i} and 1?", "answer": f"it is {i + 1}", "hint": i % 3} for i in range(24)]
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        lines = ["prompt,completion", *(f"{row['question']},{row['answer']}" for row in rows)]
        (folder / "pairs.csv").write_text("\n".join(lines) + "\n")
        _model(folder / "model", [text for row in rows for text in (row["question"], row["answer"])])
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(here)


def _model(folder: Path, texts: Sequence[str]) -> None:
    """A tiny language model, where its library is there."""
    try:
        from veriloop.testing.language import save_tiny_language

        save_tiny_language(folder, texts)
    except ImportError:
        return


def judged(numbers: Sequence[int], seed: int, show: Callable[[int, Outcome], None]) -> Counter[str]:
    """What becomes of the plans with these numbers, counted."""
    counts: Counter[str] = Counter()
    with workshop() as folder:
        for number in numbers:
            outcome = judge(mutated(number, seed), folder)
            counts[outcome.what] += 1
            show(number, outcome)
    return counts


def main() -> None:
    """Judge plans, and tell those that failed."""
    parser = argparse.ArgumentParser(description="Mutated plans through validate and tiny runs.")
    parser.add_argument("--plans", type=int, default=2_000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first plan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true", help="every plan's outcome, and the text of one plan")
    given = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def show(number: int, outcome: Outcome) -> None:
        if outcome.what == "failed" or given.show:
            print(f"-- plan {number}: {outcome.what}\n{outcome.detail}", flush=True)
            if outcome.what == "failed" or given.plans == 1:
                print(mutated(number, given.seed)[:1_500], flush=True)

    counts = judged(range(given.first, given.first + given.plans), given.seed, show)
    shown = ", ".join(f"{counts[what]} {what}" for what in ("refused", "ran", "ended", "failed"))
    print(f"{counts.total()} plans: {shown}")
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
