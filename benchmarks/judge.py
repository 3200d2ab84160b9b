"""What asking many questions at a time gains: a judge's server that takes 50 ms for each reply.

    python benchmarks/judge.py

A thousand samples with 32 questions at a time, then fifty samples one at a time, against the server of the
tests (tests/verifiers/misbehaving_server.py) on its best behaviour; then the thousand again, from the cache.
Writes results/judge.json. The exit status is 1 when the gain is below 10 or the cache asks again.
"""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from veriloop.comparison.results import write_results
from veriloop.samples import Samples
from veriloop.verdicts import Decision
from veriloop.verifiers.llm_judge import LLMJudge

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "tests" / "verifiers" / "misbehaving_server.py"
REPLY_SECONDS, MANY, FEW, AT_ONCE, TARGET = 0.05, 1_000, 50, 32, 10


def main() -> int:
    began = time.perf_counter()
    command = [sys.executable, str(SERVER), str(REPLY_SECONDS)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server,
        TemporaryDirectory() as scratch,
    ):
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        one = LLMJudge(url=f"{url}/v1", model="m", rubric="{{ text }}", concurrency=1)
        many = one.model_copy(update={"concurrency": AT_ONCE, "cache": Path(scratch) / "cache.sqlite"})
        rates = {"one at a time": rate(one, FEW), f"{AT_ONCE} at a time": rate(many, MANY)}
        asked = requests(url)
        rates["from the cache"] = rate(many, MANY)
        asked_again = requests(url) - asked
        server.terminate()
    gain = rates[f"{AT_ONCE} at a time"] / rates["one at a time"]
    for name, per_second in rates.items():
        print(f"{name:18} {per_second:8.0f} verdicts/s")
    met = gain >= TARGET and asked_again == 0
    print(f"gain {gain:.1f} (target {TARGET}), {asked_again} requests from the cache")
    print("met" if met else "MISSED")
    write_results(
        ROOT / "results" / "judge.json",
        "python benchmarks/judge.py",
        time.perf_counter() - began,
        (),
        reply_seconds=REPLY_SECONDS,
        verdicts_per_second={name: round(per_second, 1) for name, per_second in rates.items()},
        gain=round(gain, 2),
        requests_of_second_run=asked_again,
    )
    return 0 if met else 1


def requests(url: str) -> int:
    """How many requests the server has had."""
    return httpx.get(url).json()["requests"]


def rate(judge: LLMJudge, n: int) -> float:
    """Verdicts per second on ``n`` samples, all of which must get one."""
    samples = Samples(text=[f"sample {i}" for i in range(n)])
    began = time.perf_counter()
    verdicts = judge.verify(samples, np.random.default_rng(0))
    seconds = time.perf_counter() - began
    assert verdicts.count(Decision.OPEN) == n, "a verdict for every sample"
    return n / seconds


if __name__ == "__main__":
    sys.exit(main())
