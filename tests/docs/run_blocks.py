"""Run every block of the documents, those marked as long too: `python tests/docs/run_blocks.py`."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).with_name("test_blocks.py")

if __name__ == "__main__":
    environment = {**os.environ, "VERILOOP_LONG_BLOCKS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", str(TESTS), *sys.argv[1:]]
    sys.exit(subprocess.run(command, env=environment).returncode)
