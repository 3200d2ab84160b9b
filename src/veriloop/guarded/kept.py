"""Keep what a run opens once, such as a model server, from call to call; outside a run, keep nothing."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _Open(NamedTuple):
    key: str
    value: Any
    closing: ExitStack


_places: ContextVar[dict[str, _Open] | None] = ContextVar("places", default=None)


@contextmanager
def keeping() -> Iterator[None]:
    """Keep what `kept` opens open until the block ends; a block within another changes nothing."""
    if _places.get() is not None:
        yield
        return
    places = dict[str, _Open]()
    token = _places.set(places)
    try:
        yield
    finally:
        for place in list(places):
            let_go(place)
        _places.reset(token)


@contextmanager
def kept(
    place: str, key: str, opened: Callable[[], AbstractContextManager[T]], works: Callable[[T], bool]
) -> Iterator[T]:
    """Return what is in ``place`` if it has this ``key`` and still ``works``, else what ``opened()`` gives.

    A place holds one thing; another one in it is closed first. Without `keeping`, it is closed after use.
    """
    places = _places.get()
    if places is None:
        with opened() as value:
            yield value
        return
    found = places.get(place)
    if found is not None and (found.key != key or not works(found.value)):
        let_go(place)
        found = None
    if found is None:
        closing = ExitStack()
        found = places[place] = _Open(key, closing.enter_context(opened()), closing)
    yield found.value


def let_go(place: str) -> None:
    """Close what is kept in ``place``, if anything is."""
    found = (_places.get() or {}).pop(place, None)
    if found is not None:
        found.closing.close()
