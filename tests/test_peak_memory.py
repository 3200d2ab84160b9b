"""The peak of a process's memory is its own."""

import subprocess
import sys

import numpy as np
import pytest

from veriloop.peak_memory import peak_memory

SHOW = "from veriloop.peak_memory import peak_memory; print(peak_memory())"
LARGE = 300 * 2**20


def test_the_peak_stays_when_the_memory_is_freed() -> None:
    large = np.ones(LARGE, np.uint8)
    with_it = peak_memory()
    assert large.all()
    del large
    assert with_it > LARGE
    assert peak_memory() > LARGE


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' getrusage is the only source")
def test_a_program_is_not_as_large_as_the_one_that_started_it() -> None:
    large = np.ones(LARGE, np.uint8)
    done = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < LARGE < peak_memory()
    assert large.all()
