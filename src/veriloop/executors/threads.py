"""A fixed number of threads, because sums of floats depend on how they are split among threads."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Run BLAS, OpenMP and torch (when it is loaded) with ``n`` threads inside the block."""
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else n
    with threadpool_limits(n):
        if torch:
            torch.set_num_threads(n)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)
