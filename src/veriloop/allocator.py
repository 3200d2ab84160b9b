"""Freed memory stays with the process, for the next batch.

The GNU C library gives large blocks back to the kernel as soon as they are freed, and the kernel hands out
zeroed pages for the next ones. A network that goes through batches frees and asks for the same megabytes over
and over: on a virtual machine that took up to a third of the time of decoding images.
"""

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h
_KEPT = 256 * 2**20
"""Bytes of freed memory that the process holds on to, at most."""

_LARGEST = 32 * 2**20
"""Bytes of a block that is taken from them; the library allows no more."""


def keep_freed_memory() -> None:
    """Have the C library keep freed blocks; nothing happens where it is another one.

    Whoever sets ``MALLOC_TRIM_THRESHOLD_`` or ``MALLOC_MMAP_THRESHOLD_`` knows better, and is left alone.
    """
    if any(f"MALLOC_{name}_THRESHOLD_" in os.environ for name in ("TRIM", "MMAP")):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, _KEPT)
