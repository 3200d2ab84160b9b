"""What the engine costs over the plain loop, and what processes gain.

    python benchmarks/engine.py

Both arms of the demonstration for two rounds: examples/plain_loop.py, then the engine serially, then with
two processes. All three give the same samples (tests/loop/test_plain_loop.py). The engine also writes
records, weights and samples; metrics are left out here, since the plain loop has none.
"""

import importlib.util
import tempfile
import time
from pathlib import Path

from veriloop.executors.process import Process
from veriloop.executors.serial import Serial
from veriloop.executors.threads import limit_threads
from veriloop.loop import run
from veriloop.starters.demo import demo_plan

PLAIN = Path(__file__).parents[1] / "examples" / "plain_loop.py"


def main() -> None:
    spec = importlib.util.spec_from_file_location("plain_loop", PLAIN)
    assert spec is not None
    assert spec.loader is not None
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    demo = demo_plan(0, rounds=2)
    arms = {name: demo.arms[name] for name in ("verified", "unverified")}
    plan = demo.model_copy(update={"arms": arms, "metrics": (), "evaluation_samples": 1})
    data = plan.dataset.load(0)

    def by_plain_loop() -> None:
        for arm in arms.values():
            options = {"keep": 2000, "fraction": 0.05, "chunk": plan.chunk_size}
            for _ in plain.plain_loop(data, plan.learner, arm.verifier, rounds=2, **options):
                pass

    def by_engine(executor) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            run(plan.model_copy(update={"executor": executor}), Path(scratch) / "run")

    list(Process(workers=2).map(max, range(2), 0))  # start the workers outside the clock
    with limit_threads(1):
        seconds = {}
        for name, function in {
            "plain loop": by_plain_loop,
            "engine, serial": lambda: by_engine(Serial()),
            "engine, 2 processes": lambda: by_engine(Process(workers=2)),
        }.items():
            began = time.perf_counter()
            function()
            seconds[name] = time.perf_counter() - began
            print(
                f"{name:20} {seconds[name]:6.1f} s  {seconds[name] / seconds['plain loop']:5.2f} x plain loop"
            )


if __name__ == "__main__":
    main()
