import subprocess
import sys
from pathlib import Path


def test_a_run_goes_on_wherever_it_died():
    script = Path(__file__).with_name("crash_points.py")
    done = subprocess.run([sys.executable, script, "--points", "60"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "60 of 60 points" in done.stdout
