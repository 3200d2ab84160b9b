"""Keep freed memory in the process, ready for the next batch.

The GNU C library returns large blocks to the kernel as soon as they are freed, and the kernel hands out
zeroed pages for new ones. A network that works through batches frees and requests the same megabytes again
and again. On a virtual machine this took up to a third of the time needed to decode images.
"""

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT = 256 * 2**20
"""Largest number of bytes of freed memory that the process keeps."""

_LARGEST = 32 * 2**20
"""Largest block, in bytes, that is served from the kept memory; the library allows no more."""


def keep_freed_memory() -> None:
    """Make the C library keep freed blocks. Does nothing on systems with another C library.

    If ``MALLOC_TRIM_THRESHOLD_`` or ``MALLOC_MMAP_THRESHOLD_`` is set, that setting is left alone.
    """
    if any(f"MALLOC_{name}_THRESHOLD_" in os.environ for name in ("TRIM", "MMAP")):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, _KEPT)
