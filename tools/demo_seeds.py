"""Run the demonstration for several seeds, and keep the numbers and the picture of the README.

    python tools/demo_seeds.py --seeds 5

Writes results/demo.json and docs/figures/demo.png. Exits with 1 unless every seed shows the claim: the
verified arm's last Fréchet distance below 0.7 of its start, the unverified one's above 1.1 of it. The table
has each seed's line on the coin, with which the command ends; README shows that of seed 0.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from veriloop.comparison.results import Measured, write_results
from veriloop.records import RoundRecord
from veriloop.report.palette import USUAL_ARMS
from veriloop.store.folder import RunFolder

ROOT = Path(__file__).parents[1]


def run_demo(seed: int, out: Path) -> tuple[list[RoundRecord], dict[str, Any]]:
    """The records of a demonstration, and what the command printed."""
    veriloop = Path(sys.executable).with_name("veriloop")
    command = [veriloop, "demo", "--seed", str(seed), "--out", out, "--json"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    outcome = json.loads(printed)
    return RunFolder(Path(outcome["run"])).records(), outcome


def frechet(records: list[RoundRecord], arm: str) -> list[float]:
    return [r.metrics["frechet"].value for r in records if r.arm == arm]


def draw(runs: list[list[RoundRecord]], path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for arm in ("verified", "unverified"):
        for number, records in enumerate(runs):
            values = frechet(records, arm)
            label = arm if number == 0 else None
            axes.plot(range(len(values)), values, color=USUAL_ARMS[arm].colour, alpha=0.8, label=label)
    bounds = [frechet(records, "all_real")[-1] for records in runs]
    axes.axhspan(
        min(bounds),
        max(bounds),
        color=USUAL_ARMS["all_real"].colour,
        alpha=0.35,
        label="trained on all real data",
    )
    axes.set(xlabel="round of retraining", ylabel="Fréchet distance to real digits", ylim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    seeds = range(parser.parse_args().seeds)
    began = time.perf_counter()
    table, runs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in seeds:
            since = time.perf_counter()
            records, outcome = run_demo(seed, Path(scratch) / str(seed))
            runs.append(records)
            verified, unverified = (frechet(runs[-1], arm) for arm in ("verified", "unverified"))
            row = {
                "seed": seed,
                "start": round(verified[0], 2),
                "verified": round(verified[-1], 2),
                "verified_ratio": round(verified[-1] / verified[0], 3),
                "unverified": round(unverified[-1], 2),
                "unverified_ratio": round(unverified[-1] / unverified[0], 3),
                "all_real": round(frechet(runs[-1], "all_real")[-1], 2),
                "verdict": outcome["verdict"],
                "ship": outcome["ship"],
                "seconds": round(time.perf_counter() - since, 1),
            }
            row["shows_claim"] = row["verified_ratio"] < 0.7 and row["unverified_ratio"] > 1.1
            table.append(row)
            print(json.dumps(row), flush=True)
    measured = [Measured(r, seed, "demo") for seed, records in zip(seeds, runs, strict=True) for r in records]
    command = f"python tools/demo_seeds.py --seeds {len(seeds)}"
    write_results(ROOT / "results" / "demo.json", command, time.perf_counter() - began, measured, table=table)
    draw(runs, ROOT / "docs" / "figures" / "demo.png")
    return 0 if all(row["shows_claim"] for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
