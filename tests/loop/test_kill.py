import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_five_killed_runs_end_bit_for_bit_like_an_unbroken_one():
    script = Path(__file__).with_name("kill_and_resume.py")
    done = subprocess.run(
        [sys.executable, script, "--kills", "5", "--seed", "1"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 of 5 killed runs" in done.stdout


@pytest.mark.slow
def test_a_language_model_killed_at_work_ends_bit_for_bit_like_an_unbroken_run():
    pytest.importorskip("transformers")
    script = Path(__file__).with_name("kill_and_resume_text.py")
    done = subprocess.run([sys.executable, script, "--runs", "1"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 of 1 killed runs" in done.stdout
