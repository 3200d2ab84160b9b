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
    if kind == "language":
        command += ["--after", "chunk_stored"]  # in the middle of a round's candidates
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 of 2 killed runs" in done.stdout
    if kind in ("text", "language"):
        # Serial: the chunk under way, and none that was finished.
        again = rf"chunks made again after a kill, at most: {{'{kind}': [01]}}$"
        assert re.search(again, done.stdout.strip()), done.stdout
