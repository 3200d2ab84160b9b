"""A round's memory is bounded by what it keeps: a million binary images in under 2 GB."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "_memory.py"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak from Linux's /proc")
def test_a_kept_image_costs_at_most_its_bytes_and_the_packed_candidates() -> None:
    """28 x 28 pixels are 784 bytes, unpacked once, and 98 packed.

    Packed: at most 1.5 n candidates are held, the n chosen ones, and those joined; then the training set.
    With labels, provenance and scores that stays below 1.4 kB an image: a million fit into 2 GB.
    """
    printed = subprocess.run([sys.executable, str(SCRIPT), "100000"], capture_output=True, check=True).stdout
    measured = json.loads(printed)
    assert measured["peak"] - measured["before"] < 1400 * measured["kept"]
    assert measured["before"] + 1_000_000 * 1400 < 2_000_000_000
