"""What a run keeps open, and what closes it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from veriloop.guarded.kept import keeping, kept, let_go


class Door:
    """Notes what is opened and closed."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.works = True

    def use(self, key: str) -> str:
        @contextmanager
        def opened() -> Iterator[str]:
            self.told.append(f"open {key}")
            yield key
            self.told.append(f"close {key}")

        with kept("door", key, opened, lambda value: self.works) as value:
            return value


def test_outside_of_a_run_nothing_is_kept() -> None:
    door = Door()
    assert [door.use("a"), door.use("a")] == ["a", "a"]
    assert door.told == ["open a", "close a"] * 2
    let_go("door")


def test_a_run_keeps_one_thing_in_a_place_and_closes_it_in_the_end() -> None:
    door = Door()

    def run() -> None:
        door.use("a")
        with keeping():
            assert door.use("a") == "a"
        assert door.told == ["open a"]
        assert door.use("b") == "b"
        assert door.told == ["open a", "close a", "open b"]
        raise RuntimeError("the run fails")

    with pytest.raises(RuntimeError, match="the run fails"), keeping():
        run()
    assert door.told[3:] == ["close b"]


def test_what_no_longer_works_is_opened_again_and_what_is_let_go_is_closed() -> None:
    door = Door()
    with keeping():
        door.use("a")
        door.works = False
        door.use("a")
        let_go("door")
        assert door.told == ["open a", "close a"] * 2
    assert door.told == ["open a", "close a"] * 2
