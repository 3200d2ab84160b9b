"""The most memory that this process has used."""

import sys
from pathlib import Path


def peak_memory() -> int:
    """Return the peak of this process's memory, in bytes; 0 on a system that does not say.

    On Linux, ``getrusage`` counts the process that started this one too: a program that a large notebook or a
    test suite starts would be as large as they are.
    """
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
