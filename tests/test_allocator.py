"""Freed memory is used again instead of being requested again."""

import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
if sys.argv[1] == "keep":
    from veriloop.allocator import keep_freed_memory
    keep_freed_memory()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

np.ones(2**20)
before = faults()
for _ in range(50):
    np.ones(2**20)  # 8 MiB: 2,048 pages, when they are new ones
print((faults() - before) // 50)
"""


def pages_a_block(how: str, **environment: str) -> int:
    command = [sys.executable, "-c", SCRIPT, how]
    # NumPy requests huge pages by itself; without them, a fault is a page.
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        env={"NUMPY_MADVISE_HUGEPAGE": "0", **environment},
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="counts the page faults of the GNU C library on Linux")
class TestOnLinux:
    def test_a_freed_block_is_taken_again(self):
        assert pages_a_block("keep") < 100

    def test_without_it_or_when_the_user_says_otherwise_its_pages_are_new(self):
        small = {"MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
        assert pages_a_block("leave", **small) > 1_000
        assert pages_a_block("keep", **small) > 1_000
