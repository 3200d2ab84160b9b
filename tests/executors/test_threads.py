"""A number of threads holds within its block, and to ask for it again costs nothing."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from veriloop.executors import threads
from veriloop.executors.threads import limit_again, limit_threads

np.linalg.qr(np.eye(2))  # the library is there


def numbers() -> set[int]:
    return {library["num_threads"] for library in threadpool_info()}


def test_a_block_has_its_number_and_leaves_the_one_before():
    before = numbers()
    with limit_threads(1):
        assert numbers() == {1}
        with limit_threads(2):
            assert 2 in numbers()
        assert numbers() == {1}
    assert numbers() == before


def test_the_same_number_again_is_not_set_again(monkeypatch):
    with limit_threads(1):
        monkeypatch.setattr(threads, "_controller", lambda loaded: pytest.fail("looked for the libraries"))
        with limit_threads(1), limit_threads(1):
            assert numbers() == {1}


def test_a_library_that_came_in_between_is_told(monkeypatch):
    told = []
    torch = SimpleNamespace(get_num_threads=lambda: 8, set_num_threads=told.append)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with limit_threads(1):
        monkeypatch.setitem(sys.modules, "torch", torch)
        with limit_threads(1):
            assert told == [1]
    assert told == [1, 8]


def test_an_error_inside_restores_it():
    before = numbers()
    with pytest.raises(ZeroDivisionError), limit_threads(1):
        _ = 1 / 0
    assert numbers() == before
    assert threads._limited is None


def test_what_came_in_between_can_be_limited_without_the_number(monkeypatch):
    told = []
    torch = SimpleNamespace(get_num_threads=lambda: 8, set_num_threads=told.append)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    with limit_again():
        assert told == [], "nothing is limited outside"
    with limit_threads(1):
        monkeypatch.setitem(sys.modules, "torch", torch)
        with limit_again():
            assert told == [1]
    assert told == [1, 8]
