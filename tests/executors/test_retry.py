"""Pools that break: what was given out stays, the rest is computed again, and not without end."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import pytest

from veriloop.errors import VeriloopError
from veriloop.events import EVENT, WorkerLost
from veriloop.executors._retry import recomputing, told_of_lost_workers
from veriloop.executors.process import Process


class Pool:
    """Breaks when it is given an item that it is told to break at; computes when the result is asked for."""

    def __init__(self, breaks: dict[int, int], most: int = 3) -> None:
        self.breaks, self.most, self.computed, self.ended = Counter(breaks), most, Counter[int](), 0
        self.running: list[Lazy] = []

    def start(self) -> "Pool":
        self.running = []
        return self

    def submit(self, item: int) -> Future[int]:
        if self.breaks[item] > 0:
            self.breaks[item] -= 1
            raise BrokenExecutor("a worker died")
        self.running.append(Lazy(self, item))
        assert sum(not future.done() for future in self.running) <= 3
        return self.running[-1]

    def end(self) -> None:
        for future in self.running:
            if not future.done():
                future.set_exception(BrokenExecutor())
        self.ended += 1

    def map(self, items: Iterable[int]) -> Iterator[int]:
        return recomputing(self.start, items, 3, BrokenExecutor)


class Lazy(Future[int]):
    def __init__(self, pool: Pool, item: int) -> None:
        super().__init__()
        self.pool, self.item = pool, item

    def result(self, timeout: float | None = None) -> int:
        under_way = sum(not future.done() for future in self.pool.running)
        if under_way > self.pool.most:
            self.set_exception(BrokenExecutor("a worker died of too many"))
        elif self.item < 0:
            self.set_exception(ZeroDivisionError())
        else:
            self.pool.computed[self.item] += 1
            self.set_result(10 * self.item)
        return super().result(timeout)


@pytest.fixture
def lost() -> Iterator[list[WorkerLost]]:
    found: list[WorkerLost] = []
    with told_of_lost_workers(found.append):
        yield found


@pytest.mark.parametrize("items", [lambda: iter(range(9)), lambda: range(9)])
@pytest.mark.parametrize("breaks", [{}, {0: 1}, {5: 3}, {8: 2}, {2: 2, 3: 1, 7: 3}])
def test_results_keep_their_order_and_nothing_given_out_is_computed_again(
    items: Callable[[], Iterable[int]], breaks: dict[int, int], lost: list[WorkerLost]
) -> None:
    pool = Pool(breaks)
    assert list(pool.map(items())) == [10 * n for n in range(9)]
    assert set(pool.computed.values()) == {1}
    assert len(lost) == pool.ended == sum(breaks.values())


def test_nothing_to_do_is_nothing(lost: list[WorkerLost]) -> None:
    assert list(Pool({}).map([])) == []


def test_an_item_that_kills_each_time_is_an_error_after_three_tries(lost: list[WorkerLost]) -> None:
    pool = Pool({5: 99})
    results = pool.map(range(9))
    assert [next(results) for _ in range(5)] == [0, 10, 20, 30, 40]
    with pytest.raises(VeriloopError, match="memory is short") as caught:
        next(results)
    assert "\n" not in str(caught.value)
    assert [event.try_ for event in lost][-3:] == [1, 2, 3]
    assert pool.computed[6] == 0, "alone at last"


def test_the_last_try_is_alone(lost: list[WorkerLost]) -> None:
    # Two of these at a time are too much.
    pool = Pool({}, most=1)
    assert list(pool.map(range(3))) == [0, 10, 20]
    assert [event.try_ for event in lost] == [1, 2, 3, 1, 2, 3]


def test_other_errors_come_through_and_are_not_tried_again(lost: list[WorkerLost]) -> None:
    pool = Pool({})
    with pytest.raises(ZeroDivisionError):
        list(pool.map([1, -1, 1]))
    assert (lost, pool.ended) == ([], 1)


def test_workers_end_with_an_early_end_that_leaves_them_at_work(lost: list[WorkerLost]) -> None:
    pool = Pool({})
    results = pool.map(range(9))
    assert next(results) == 0
    assert isinstance(results, Generator)
    results.close()
    assert (lost, pool.ended) == ([], 1)


def test_workers_without_work_stay(lost: list[WorkerLost]) -> None:
    pool = Pool({})
    results = pool.map([1])
    assert next(results) == 10
    assert isinstance(results, Generator)
    results.close()
    assert pool.ended == 0


def test_without_a_listener_the_log_tells(caplog: pytest.LogCaptureFixture) -> None:
    assert list(Pool({0: 1}).map([0])) == [0]
    assert "trying again (1 of 3)" in caplog.text


def test_the_event_is_written_as_its_contract_says() -> None:
    line = WorkerLost(at=1.0, what="a worker", try_=2).model_dump_json()
    assert line == '{"at":1.0,"event":"worker_lost","what":"a worker","try":2}'
    assert EVENT.validate_json(line) == WorkerLost(at=1.0, what="a worker", try_=2)


def test_a_killed_worker_is_replaced(tmp_path: Path, lost: list[WorkerLost]) -> None:
    # Not of this module, which workers cannot import.
    def die_once(folder: str, item: int) -> int:
        import os
        import pathlib

        with pathlib.Path(folder, str(item)).open("a") as file:
            file.write("x")
        if item == 4 and pathlib.Path(folder, str(item)).stat().st_size == 1:
            os.kill(os.getpid(), 9)
        return 2 * item

    assert list(Process(workers=2).map(die_once, iter(range(9)), str(tmp_path))) == list(range(0, 18, 2))
    assert (tmp_path / "4").stat().st_size == 2
    assert [event.try_ for event in lost] == [1]


def test_what_workers_cannot_read_is_no_death(tmp_path: Path, lost: list[WorkerLost]) -> None:
    class Unreadable:
        def __reduce__(self) -> tuple[object, ...]:
            return int, ("no number",)

    with pytest.raises(ValueError, match="no number"):
        list(Process(workers=2).map(max, [1], Unreadable()))
    with pytest.raises(BrokenExecutor, match="un-serialize"):
        list(Process(workers=2).map(max, [Unreadable()], 1))
    assert lost == []
