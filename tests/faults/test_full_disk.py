"""A write that the system refuses gives one line, in any program."""

import subprocess
import sys
from pathlib import Path


def test_a_full_disk_is_one_line_for_every_writer() -> None:
    # In a separate process, whose limits it may change.
    script = Path(__file__).with_name("full_disk.py")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[0]) >= 50, "the limits are reached"
