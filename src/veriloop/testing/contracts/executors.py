"""The contract suite of executors."""

from collections.abc import Iterator

from ...errors import DataError
from ...executors.base import Executor
from ._common import suite
from .parts import check_part


@suite
def check_executor(executor: Executor) -> None:
    """Check that results arrive one by one in the order of the items, and errors arrive unchanged."""
    check_part(executor)
    results = executor.map(_times, range(7), 3)
    assert isinstance(results, Iterator), "map gives results as they come in: an iterator"
    assert list(results) == [0, 3, 6, 9, 12, 15, 18], "results come in the order of the items"
    assert list(executor.map(_times, (i for i in range(50)), 2)) == list(range(0, 100, 2)), (
        "items may be any iterable"
    )
    assert list(executor.map(_times, [], 3)) == [], "no items, no results"
    assert list(executor.map(_is_none, [1])) == [True], "nothing shared is None"
    refused = _error(executor, _refuse, [2, 1, 2])
    assert isinstance(refused, DataError), f"a DataError of the function arrives as {refused!r}"
    assert str(refused) == "item: got 1, expected 2", "an error of the function must arrive whole"
    other = _error(executor, _divide, [1, 0, 1])
    assert isinstance(other, ZeroDivisionError), f"a ZeroDivisionError of the function arrives as {other!r}"
    assert list(executor.map(_times, [1], 3)) == [3], "an error must not end the executor"


def _error(executor: Executor, function: object, items: list[float]) -> Exception | None:
    try:
        list(executor.map(function, items, 2))  # pyright: ignore[reportArgumentType]
    except Exception as e:
        return e
    return None


def _times(shared: float, item: float) -> float:
    return shared * item


def _is_none(shared: object, item: object) -> bool:
    return shared is None


def _refuse(shared: float, item: float) -> float:
    if item != shared:
        raise DataError("item", got=item, expected=shared)
    return item


def _divide(shared: float, item: float) -> float:
    return shared / item
