"""Many annotators at once against the page: is a verdict ever lost, and how long does one take?

    python benchmarks/annotators.py

Starts the server on loopback, on SQLite and then on PostgreSQL. Annotators judge at a fixed pace, whether
or not their earlier verdicts are confirmed; a latency counts from when a verdict was due. Afterwards every
confirmed verdict is looked up in the store. Writes results/annotators.json.
"""

import argparse
import asyncio
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from veriloop.cards import ArmCard, RunCard
from veriloop.samples import Samples
from veriloop.store.folder import RunFolder
from veriloop.store.manifest import Manifest, package_versions
from veriloop.testing.postgres import postgres
from veriloop.verifiers.human.database import open_database
from veriloop.verifiers.human.store import Store

RESULTS = Path(__file__).parents[1] / "results" / "annotators.json"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--annotators", type=int, default=50)
    parser.add_argument("--rate", type=float, default=100, help="verdicts a second, of all together")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--to", type=Path, default=RESULTS)
    asked = parser.parse_args()
    began, found = time.perf_counter(), {}
    for name in ("sqlite", "postgresql"):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite:///{folder}/verdicts.db" if name == "sqlite" else stack.enter_context(postgres())
            found[name] = measure(folder, url, asked.annotators, asked.rate, asked.seconds)
        print(name, json.dumps(found[name]))
    packages = {name: version(name) for name in ("starlette", "uvicorn", "SQLAlchemy", "psycopg")}
    content = {
        "command": f"python benchmarks/{Path(__file__).name}",
        "versions": package_versions() | packages,
        "machine": {"cpus": os.cpu_count(), "architecture": platform.machine(), "system": platform.system()},
        "seconds": round(time.perf_counter() - began, 1),
        "annotators": asked.annotators,
        "wanted_per_second": asked.rate,
        "stores": found,
    }
    asked.to.write_text(json.dumps(content, indent=1) + "\n")
    if any(numbers["lost"] or numbers["failed"] for numbers in found.values()):
        sys.exit("verdicts were lost, or requests failed")


def measure(folder: Path, url: str, annotators: int, rate: float, seconds: float) -> dict[str, Any]:
    """Let ``annotators`` judge for so long, and count what the store has kept."""
    number = int(rate * seconds) + 10 * annotators
    pixels = np.zeros((number, 8, 8), np.uint8)
    pixels[:, 0, :4] = np.arange(number)[:, None] // 17 ** np.arange(4) % 17
    Store(url).post(Samples(pixels=pixels, label=np.arange(number) % 10), None, wanted=1, queue=number)
    cards = RunCard(arms={"verified": ArmCard(last_round=1, verdict_stores=(url,))})
    RunFolder(folder / "runs" / "load").write_manifest(Manifest(config={}, seed=0, cards=cards))
    command = [sys.executable, "-c", "from veriloop.cli.main import main; main()", "serve"]
    server = subprocess.Popen(
        [*command, folder / "runs", "--port", "0"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert server.stdout is not None
        address = re.search(r"http://\S+:\d+", server.stdout.readline())
        assert address is not None
        confirmed, latencies, failed, took = asyncio.run(_judge_all(address[0], annotators, rate, seconds))
    finally:
        server.kill()
        server.wait()
    kept = {
        (annotator, judged.key): answer
        for judged in Store(url).everything()
        for annotator, answer in judged.verdicts.items()
    }
    open_database(url).close()
    p50, p95, p99, most = np.percentile(np.array(latencies) * 1000, [50, 95, 99, 100]).round(1).tolist()
    return {
        "verdicts": len(confirmed),
        "per_second": round(len(confirmed) / took, 1),
        "lost": sum(kept.get(key) != answer for key, answer in confirmed.items()),
        "given_twice": len(kept) - len({key for _, key in kept}),
        "failed": failed,
        "latency_ms": {"median": p50, "p95": p95, "p99": p99, "max": most},
        "load_average": round(os.getloadavg()[0], 1),
    }


async def _judge_all(
    address: str, annotators: int, rate: float, seconds: float
) -> tuple[dict[tuple[str, str], str], list[float], int, float]:
    confirmed: dict[tuple[str, str], str] = {}
    latencies: list[float] = []
    failed = 0
    limits = httpx.Limits(max_connections=annotators, max_keepalive_connections=annotators)
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=60) as client:
        page = (await client.get("/judge")).text
        queue = page.split('action="')[1].split('"')[0]
        client.headers["X-CSRF-Token"] = page.split('name="csrf" content="')[1].split('"')[0]
        names = [f"annotator {i}" for i in range(annotators)]
        first = [await client.get(f"{queue}/samples", params={"annotator": name}) for name in names]
        began = time.perf_counter() + 0.5

        async def post(address: str, body: dict[str, Any]) -> httpx.Response | None:
            """As the page does it: a verdict that did not get through is sent again, and counts once."""
            try:
                return await client.post(address, json=body)
            except httpx.TransportError:
                return None

        async def annotate(number: int, name: str, held: list[str]) -> None:
            nonlocal failed
            interval = annotators / rate
            due = began + interval * number / annotators
            while due < began + seconds:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                key = held.pop(0)
                answer = "accept" if int(key, 16) % 3 else "reject"
                body = {"annotator": name, "key": key, "answer": answer, "holding": held}
                while (response := await post(f"{queue}/verdicts", body)) is None:
                    await asyncio.sleep(0.1)
                latencies.append(time.perf_counter() - due)
                if response.status_code == 200:
                    confirmed[name, key] = answer
                    held += [task["key"] for task in response.json()["tasks"]]
                else:
                    failed += 1
                due += interval

        await asyncio.gather(
            *(
                annotate(i, name, [task["key"] for task in answer.json()["tasks"]])
                for i, (name, answer) in enumerate(zip(names, first, strict=True))
            )
        )
        return confirmed, latencies, failed, time.perf_counter() - began


if __name__ == "__main__":
    main()
