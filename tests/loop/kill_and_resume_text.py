"""Kill runs of a language model while they fit, write and score; resume them, and compare every bit.

    python tests/loop/kill_and_resume_text.py --runs 5

Each run is killed in one stage after the other. A kill waits until the stage has begun, then for a moment
drawn within it. Prints how many runs ended like an unbroken one; exits with 1 unless all did.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from kill_and_resume import _command, _finish, content

from veriloop.testing.language import save_tiny_language

STAGES = ("fit", "generate", "verify")

CONFIG = """
seed: 3
rounds: 2
dataset: {{kind: text, files: "{folder}/pairs.jsonl", start: 24, held_out: 8}}
learner:
  kind: causal_lm
  model: {folder}/model
  prompt: {{max_tokens: 32}}
  decoding: {{max_new_tokens: 12, temperature: 1.0}}
  epochs: 3
  learning_rate: 0.003
verifier: {{kind: function, function: "scoring:shared_words"}}
acceptance: {{kind: top_fraction, fraction: 0.25}}
schedule: {{kind: constant, n: 24}}
metrics: [rouge]
arms: [verified]
evaluation_samples: 8
chunk_size: 32
"""

# Scoring is slow enough to be killed at, and says when it is at work.
SCORING = """
import pathlib, time

def shared_words(row):
    pathlib.Path("{folder}/scoring").touch()
    time.sleep(0.01)
    return len(set(row["summary"].split()) & set(row["reference"].split()))
"""


def prepare(folder: Path) -> Path:
    """Write the pairs, a tiny model, the function that scores, and the configuration."""
    words = ("cat", "cow", "dog", "duck", "frog", "goose", "hen", "horse")
    pairs = [
        {"document": f"A {a} sees a {b}. It is late.", "summary": f"{a} and {b}"}
        for a in words
        for b in words
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    save_tiny_language(folder / "model", [pair["document"] for pair in pairs])
    (folder / "scoring.py").write_text(SCORING.format(folder=folder))
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(folder=folder))
    return config


def killed_in(stage: str, round_: int, moment: float, folder: Path, config: Path) -> bool:
    """Go on with the run and kill it ``moment`` seconds after the stage began; whether it was still running.

    Scoring goes by chunk inside the stage ``generate``: the kill for ``verify`` waits for that stage, then
    for the function to be called.
    """
    scoring, events = config.with_name("scoring"), folder / "events.jsonl"
    entered = "generate" if stage == "verify" else stage
    wanted = {"event": "stage_started", "stage": entered, "round": round_}
    old = len(_events(events))
    process = subprocess.Popen(_command(folder, config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait(process, lambda: any(wanted.items() <= event.items() for event in _events(events)[old:]))
    if stage == "verify":
        scoring.unlink(missing_ok=True)
        _wait(process, scoring.exists)
    time.sleep(moment)
    process.kill()
    return process.wait() == -9


def _wait(process: subprocess.Popen[bytes], begun: Callable[[], bool]) -> None:
    while process.poll() is None and not begun():
        time.sleep(0.005)


def _events(path: Path) -> list[dict]:
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def main(runs: int, seed: int) -> int:
    """Kill ``runs`` runs in each stage; returns how many of them ended like the unbroken one."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        config = prepare(Path(scratch))
        os.chdir(scratch)  # where the function that scores is found
        whole = Path(scratch) / "whole"
        _finish(whole, config)
        expected = content(whole)
        print(f"unbroken run: {len(expected[0])} records, {len(expected[1])} files")
        equal = 0
        for number in range(runs):
            folder, round_ = Path(scratch) / f"killed-{number}", 1 + number % 2
            stages = [*STAGES]
            while stages:
                if killed_in(stages[0], round_, moments.uniform(0, 0.2), folder, config):
                    stages.pop(0)
                else:  # it was over before the kill
                    shutil.rmtree(folder)
            _finish(folder, config)
            same = content(folder) == expected
            equal += same
            print(f"killed in {', '.join(STAGES)} of round {round_}: {'equal' if same else 'DIFFERENT'}")
        print(f"{equal} of {runs} killed runs ended bit for bit like the unbroken one")
    return equal


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.runs, arguments.seed) != arguments.runs)
