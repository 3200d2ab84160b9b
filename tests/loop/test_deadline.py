"""Work that does not end by itself is given up, whatever it does."""

import asyncio
import threading
import time

import pytest

from veriloop.loop.deadline import Clock
from veriloop.loop.seam import call

from ..patience import HOUR


def for_ever() -> None:
    while True:
        time.sleep(0.01)


def test_work_that_ends_gives_its_result() -> None:
    clock = Clock(HOUR)
    assert clock.give("a sum", HOUR, lambda: 1 + 1) == 2
    assert clock.missed == []
    assert 0 < clock.left <= HOUR


def in_a_part() -> None:
    call(object(), "fit", for_ever)


def in_tasks() -> None:
    async def busy() -> None:
        for_ever()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(busy())

    asyncio.run(main())


def in_a_part_that_catches_all() -> None:
    try:
        for_ever()
    except BaseException as e:
        raise ValueError("something went wrong") from e


@pytest.mark.parametrize("work", [for_ever, in_a_part, in_tasks, in_a_part_that_catches_all])
def test_work_that_does_not_end_is_given_up_and_named(work) -> None:
    clock = Clock(HOUR)
    assert clock.give("a long one", 0.05, work) is None
    assert clock.missed == ["a long one (not done after 0 s)"]
    assert clock.give("another", HOUR, lambda: "done") == "done"


def test_errors_and_interrupts_go_through() -> None:
    clock = Clock(HOUR)
    for error in (ValueError, KeyboardInterrupt):

        def work(error: type[BaseException] = error) -> None:
            raise error

        with pytest.raises(error):
            clock.give("a mistake", HOUR, work)
    assert clock.missed == []


def test_nothing_is_begun_when_no_time_is_left() -> None:
    clock = Clock(0)
    assert clock.give("the rest", HOUR, lambda: pytest.fail("it was begun")) is None
    assert clock.missed == ["the rest (no time was left)"]


def test_in_another_thread_work_is_waited_for() -> None:
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.append(Clock(HOUR).give("a sum", HOUR, lambda: 2)))
    thread.start()
    thread.join()
    assert found == [2]
