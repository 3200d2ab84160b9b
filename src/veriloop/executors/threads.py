"""A fixed number of threads, because sums of floats depend on how they are split among threads."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

_BRING_LIBRARIES = ("numpy", "scipy.linalg", "sklearn", "torch")
"""Modules that load a BLAS or an OpenMP of their own."""


_limited: tuple[int, tuple[bool, ...]] | None = None
"""Within `limit_threads`: how many threads, and the modules that were there to be told so."""


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Run BLAS, OpenMP and torch (when it is loaded) with ``n`` threads inside the block.

    Inside a block of as many threads it costs nothing, unless a library was loaded in between.
    """
    global _limited
    loaded = tuple(map(sys.modules.__contains__, _BRING_LIBRARIES))
    if _limited == (n, loaded):
        yield
        return
    outside = _limited
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else n
    with _controller(loaded).limit(limits=n):
        if torch:
            torch.set_num_threads(n)
        _limited = (n, loaded)
        try:
            yield
        finally:
            _limited = outside
            if torch:
                torch.set_num_threads(before)


@contextmanager
def limit_again() -> Iterator[None]:
    """Inside `limit_threads`, limit the libraries that were loaded since that block began as well."""
    with limit_threads(_limited[0]) if _limited else nullcontext():
        yield


@cache
def _controller(loaded: tuple[bool, ...]) -> ThreadpoolController:
    # Looking for the loaded libraries takes milliseconds: once for each set of modules, not for each chunk.
    return ThreadpoolController()
