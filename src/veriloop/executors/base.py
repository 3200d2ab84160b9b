"""The one interface for scaling: an executor maps a function over items, anywhere."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from ..parts import Part

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Part, frozen=True):
    """Runs a function over items.

    A result must not depend on where it was computed: items carry the addresses of their random streams, and
    functions use a fixed number of threads.
    """

    family: ClassVar[str] = "veriloop.executors"

    @abstractmethod
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        """Yield ``function(shared, item)`` for each item, in order, as results arrive.

        Args:
            function: Module-level function, so that other processes can import it.
            items: Small, picklable items.
            shared: Data that all calls share, sent to each worker once. A worker may use one copy for many
                calls, so ``function`` must not change it.

        Raises:
            VeriloopError: As raised by ``function``, for the first item that failed.
        """
