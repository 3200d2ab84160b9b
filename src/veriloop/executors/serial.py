"""Run items in this process, one after the other."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from typing_extensions import override

from .base import Executor, Item, Result


class Serial(Executor, frozen=True):
    """Computes each item when its result is requested."""

    @override
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        return (function(shared, item) for item in items)
