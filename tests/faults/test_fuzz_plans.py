"""Broken plans are refused in one line, or run; the long version is `fuzz_plans.py` with --plans 2000."""

import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("first", [0, 75])
def test_no_broken_plan_ends_in_a_traceback(first: int) -> None:
    script = Path(__file__).with_name("fuzz_plans.py")
    done = subprocess.run(
        [sys.executable, str(script), "--first", str(first), "--plans", "75"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {what: int(n) for n, what in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    assert sum(counts.values()) == 2 * counts["plans"] == 150
    assert counts["ran"] >= 7, "most plans would be refused for what does not matter"
    assert counts["refused"] >= 20
