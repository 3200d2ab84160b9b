"""What the pages cost: 500 runs in a list, and a run of 300 rounds.

    python benchmarks/pages.py [--runs 500] [--rounds 300]

Serves both folders in this process, on loopback. Prints of each page the bytes as sent, the processor seconds
of the first visit after a start and of the next one, and with Chromium the elements of the page as drawn.
Writes results/pages.json. The exit status is 1 when the page of one run misses its targets: 1.0
seconds at first, 0.3 after that, 3,000 elements.
"""

import argparse
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import httpx
import numpy as np
import uvicorn

from veriloop.comparison.results import write_results
from veriloop.config import plan_from
from veriloop.executors.threads import limit_threads
from veriloop.loop import run
from veriloop.metrics.base import Evaluation, Metric
from veriloop.quantity import Quantity
from veriloop.records import Estimate, RowEstimate
from veriloop.store.folder import RunFolder
from veriloop.web.app import create_app
from veriloop.web.server import listen

RESULTS = Path(__file__).parents[1] / "results" / "pages.json"
TINY = "veriloop.testing.tiny"
FIRST, NEXT, ELEMENTS = 1.0, 0.3, 3_000


class Distances(Metric, frozen=True):
    """The squared distance of each real sample from the generated mean, row by row."""

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "distance": Quantity("Distance", better="lower", low=0, meaning="From real samples to the mean.")
    }

    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return the mean distance."""
        rows = ((evaluation.real.array("x") - evaluation.generated.array("x").mean(0)) ** 2).sum(-1)
        return {"distance": RowEstimate(float(rows.mean()), float(rows.std() / len(rows) ** 0.5), rows=rows)}


def config(rounds: int) -> dict[str, Any]:
    """A run of tiny parts with two arms and two quantities, one of them by row."""
    return {
        "rounds": rounds,
        "dataset": f"{TINY}:TinyData",
        "learner": f"{TINY}:TinyLearner",
        "verifier": f"{TINY}:TinyVerifier",
        "acceptance": {"kind": "top_fraction", "fraction": 0.1},
        "balance": "label",
        "schedule": {"kind": "constant", "n": 60},
        "metrics": [f"{__name__}:Distances", f"{TINY}:TinyMetric"],
        "evaluation_samples": 500,
    }


def many_runs(folder: Path, number: int, rounds: int = 6) -> None:
    """``number`` runs that differ by seed: one that was run, and copies of it."""
    first = RunFolder(folder / "run_0")
    run(plan_from(config(rounds)), first.path)
    manifest = first.manifest()
    for seed in range(1, number):
        copy = RunFolder(folder / f"run_{seed}")
        shutil.copytree(first.path, copy.path)
        copy.write_manifest(
            manifest.model_copy(update={"seed": seed, "config": {**manifest.config, "seed": seed}})
        )


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve a folder in this process; yields the address."""
    listening = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(create_app(folder), log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        with limit_threads(1):  # as `veriloop serve` does
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


def measure(folder: Path, path: str) -> dict[str, Any]:
    """Bytes, processor seconds and elements of a page."""
    found: dict[str, Any] = {}
    with serving(folder) as address, httpx.Client(timeout=3600) as client:
        client.get(f"{address}/judge")  # what the server imports once belongs to no page
        for name in ("first", "next"):
            began = time.process_time()
            with client.stream("GET", address + path) as response:
                response.read()
            found[f"processor_seconds_{name}"] = round(time.process_time() - began, 3)
            found["bytes"] = response.num_bytes_downloaded
        found["elements"] = elements(address + path)
    return found


def elements(address: str) -> int | None:
    """How many elements the page has once its plots in view are drawn; None without Chromium."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(0)  # a busy machine is slow, and that is not what is measured
        page.goto(address)
        page.wait_for_load_state("networkidle")
        number: int = page.evaluate("document.querySelectorAll('*').length")
        browser.close()
    return number


def main() -> int:
    """Measure both, print and write the numbers."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--to", type=Path, default=RESULTS)
    asked = parser.parse_args()
    began, found = time.perf_counter(), {}
    with tempfile.TemporaryDirectory() as scratch:
        many, long = Path(scratch) / "many", Path(scratch) / "long"
        many_runs(many, asked.runs)
        run(plan_from(config(asked.rounds)), long / "long")
        for name, folder, path in (
            (f"list of {asked.runs} runs", many, "/runs"),
            (f"run of {asked.rounds} rounds", long, "/runs/long"),
        ):
            found[name] = measure(folder, path)
            print(
                f"{name:20} {found[name]['bytes']:>9,} bytes, {found[name]['elements'] or 0:>7,} elements, "
                f"{found[name]['processor_seconds_first']:.2f} processor seconds at first, "
                f"{found[name]['processor_seconds_next']:.2f} after that"
            )
    one = found[name]
    met = one["processor_seconds_first"] <= FIRST and one["processor_seconds_next"] <= NEXT
    met &= (one["elements"] or 0) <= ELEMENTS
    print("met" if met else "MISSED")
    write_results(
        asked.to, f"python benchmarks/{Path(__file__).name}", time.perf_counter() - began, (), pages=found
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
