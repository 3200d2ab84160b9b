"""A fixed number of threads, because sums of floats depend on how threads divide them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cache

from threadpoolctl import ThreadpoolController

_BRING_LIBRARIES = ("numpy", "scipy.linalg", "sklearn", "torch")
"""Modules that load their own BLAS or OpenMP."""


_limited: tuple[int, tuple[bool, ...]] | None = None
"""Within `limit_threads`: the number of threads, and the modules that were limited."""


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Run BLAS, OpenMP and torch (if loaded) with ``n`` threads inside the block.

    Nested blocks with the same number cost nothing, unless a library was loaded in between.
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
    """Inside `limit_threads`, also limit libraries that were loaded since that block started."""
    with limit_threads(_limited[0]) if _limited else nullcontext():
        yield


@cache
def _controller(loaded: tuple[bool, ...]) -> ThreadpoolController:
    # Finding the loaded libraries takes milliseconds: once per set of modules, not per chunk.
    return ThreadpoolController()
