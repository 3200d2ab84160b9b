"""Kill a run with SIGKILL at random moments, resume it, and compare every bit with an unbroken run.

    python tests/loop/kill_and_resume.py --kills 30

Prints how many of the kills were survived; exits with 1 unless all were.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CONFIG = """
seed: 3
rounds: 3
dataset: {kind: digits, start: 30}
learner: {kind: cvae, levels: 16, latent_dim: 4, channels: [4, 8], epochs: 4, patience: null}
verifier: {kind: discriminator, levels: 16, hidden: [32], epochs: 1}
acceptance: {kind: top_fraction, fraction: 0.2}
balance: label
schedule: {kind: constant, n: 500}
policy: {kind: accumulate_subsample, size: 700}
metrics: [nelbo]
evaluation_samples: 200
chunk_size: 400
executor: {kind: process, workers: 2}
"""


def content(folder: Path) -> tuple[list[dict], dict[str, bytes]]:
    """The records without wall-clock times, and every file of every round."""
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    for record in records:
        del record["seconds"]
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.glob("round_*/**/*") if p.is_file()}
    return records, files


def _command(folder: Path, config: Path) -> list[str]:
    veriloop = str(Path(sys.executable).with_name("veriloop"))
    if (folder / "manifest.json").exists():
        return [veriloop, "resume", str(folder), "--plain"]
    return [veriloop, "run", str(config), "--out", str(folder), "--plain"]


def _killed_after(seconds: float, folder: Path, config: Path) -> bool:
    """Start or resume the run, kill it after so long; whether it was still running then."""
    process = subprocess.Popen(_command(folder, config), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    process.wait()
    return process.returncode == -9


def _finish(folder: Path, config: Path) -> None:
    done = subprocess.run(_command(folder, config), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"resume failed: {done.stderr}")


def main(kills: int, seed: int) -> int:
    """Kill ``kills`` runs; returns how many of them ended equal to the unbroken one."""
    moments = random.Random(seed)
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config.yaml"
        config.write_text(CONFIG)
        whole = Path(scratch) / "whole"
        began = time.perf_counter()
        _finish(whole, config)
        duration = time.perf_counter() - began
        expected = content(whole)
        print(f"unbroken run: {duration:.1f} s, {len(expected[0])} records, {len(expected[1])} files")
        survived = 0
        for number in range(1, kills + 1):
            folder = Path(scratch) / f"killed-{number}"
            moment = moments.uniform(0.1, 0.95) * duration
            while not _killed_after(moment, folder, config):
                # The machine was quicker this time: kill earlier, from the start.
                subprocess.run(["rm", "-rf", str(folder)], check=True)
                moment *= 0.8
            done = (
                (folder / "records.jsonl").read_text().count("\n")
                if (folder / "records.jsonl").exists()
                else 0
            )
            _finish(folder, config)
            same = content(folder) == expected
            survived += same
            print(f"kill {number} after {moment:.1f} s, {done} records: {'equal' if same else 'DIFFERENT'}")
        print(f"{survived} of {kills} killed runs ended bit for bit like the unbroken one")
    return survived


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.exit(main(arguments.kills, arguments.seed) != arguments.kills)
