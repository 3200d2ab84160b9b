import re
import subprocess
import sys
from pathlib import Path

import pytest

from .kinds_of_run import KINDS


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_killed_runs_end_bit_for_bit_like_an_unbroken_one(kind):
    if kind == "language":
        pytest.importorskip("transformers")
    script = Path(__file__).with_name("kill_and_resume.py")
    command = [sys.executable, script, "--kills", "2", "--kinds", kind]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 killed runs" in done.stdout
    if kind == "text":
        cost = re.search(r"; of text a kill cost at most (\d+) chunks", done.stdout)
        assert cost
        assert int(cost[1]) <= 1
