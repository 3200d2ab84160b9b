"""Kill a run of a language model while it fits, writes and scores; resume it, and compare every bit.

    python tests/loop/kill_and_resume_text.py --each 5

Every kill waits for the event that begins the stage, then for a moment drawn within it. Prints how many of
the kills were survived; exits with 1 unless all were.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
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
verifier: {{kind: reference}}
acceptance: {{kind: top_fraction, fraction: 0.25}}
schedule: {{kind: constant, n: 24}}
metrics: [rouge]
evaluation_samples: 8
chunk_size: 32
"""


def prepare(folder: Path) -> Path:
    """Write the pairs, a tiny model and the configuration."""
    words = ("cat", "cow", "dog", "duck", "frog", "goose", "hen", "horse")
    pairs = [
        {"document": f"A {a} sees a {b}. It is late.", "summary": f"{a} and {b}"}
        for a in words
        for b in words
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    save_tiny_language(folder / "model", [pair["document"] for pair in pairs])
    config = folder / "config.yaml"
    config.write_text(CONFIG.format(folder=folder))
    return config


def killed_in(stage: str, round_: int, moment: float, folder: Path, config: Path) -> bool:
    """Start the run and kill it ``moment`` seconds after the stage began; whether it was still running.

    Scoring goes by chunk inside the stage ``generate``: the kill for ``verify`` comes when the first
    progress is reported, which is between two chunks.
    """
    process = subprocess.Popen(_command(folder, config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    events = folder / "events.jsonl"
    wanted = {"event": "progress", "round": round_}
    if stage != "verify":
        wanted = {"event": "stage_started", "stage": stage, "round": round_}
    while process.poll() is None:
        lines = events.read_text().splitlines(keepends=True) if events.exists() else []
        seen = [json.loads(line) for line in lines if line.endswith("\n")]
        if any(wanted.items() <= event.items() for event in seen):
            time.sleep(moment)
            process.kill()
            break
        time.sleep(0.005)
    return process.wait() == -9


def main(each: int, seed: int) -> int:
    """Kill ``each`` runs in each stage; returns how many ended unlike the unbroken one."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        config = prepare(Path(scratch))
        whole = Path(scratch) / "whole"
        _finish(whole, config)
        expected = content(whole)
        print(f"unbroken run: {len(expected[0])} records, {len(expected[1])} files")
        different = 0
        for number in range(each * len(STAGES)):
            stage, round_ = STAGES[number % len(STAGES)], 1 + number // len(STAGES) % 2
            folder = Path(scratch) / f"killed-{number}"
            moment = moments.uniform(0, 0.2)
            while not killed_in(stage, round_, moment, folder, config):
                subprocess.run(["rm", "-rf", str(folder)], check=True)
                moment /= 2
            _finish(folder, config)
            same = content(folder) == expected
            different += not same
            print(f"killed in {stage} of round {round_}: {'equal' if same else 'DIFFERENT'}")
        print(f"{each * len(STAGES) - different} of {each * len(STAGES)} killed runs ended bit for bit alike")
    return different


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--each", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.each, arguments.seed))
