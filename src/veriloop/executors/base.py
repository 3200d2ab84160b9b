"""The one seam of scale: an executor maps a function over items, wherever it likes."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, TypeVar

from ..parts import Part

Item = TypeVar("Item")
Result = TypeVar("Result")


class Executor(Part, frozen=True):
    """Who computes.

    A result must not depend on who computed it: items carry the addresses of their random streams, and
    functions hold to a fixed number of threads.
    """

    family: ClassVar[str] = "veriloop.executors"

    @abstractmethod
    def map(
        self, function: Callable[[Any, Item], Result], items: Iterable[Item], shared: Any = None
    ) -> Iterator[Result]:
        """``function(shared, item)`` for each item, in the order of the items, as results come in.

        Args:
            function: A module-level function, so that other processes can import it.
            items: Small and picklable.
            shared: What all calls have in common, sent to each worker once. A worker may use one copy of it
                for many calls, so ``function`` must not change it.

        Raises:
            VeriloopError: As raised by ``function``, for the first item that failed.
        """
