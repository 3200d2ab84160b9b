"""The suite of executors, with executors that break it."""

# Broken parts break their types as well.
# pyright: reportIncompatibleMethodOverride=false, reportGeneralTypeIssues=false

from typing import Any

import pytest

from veriloop.executors.base import Executor
from veriloop.executors.serial import Serial
from veriloop.testing import check_executor


def test_the_serial_executor_keeps_the_contract():
    check_executor(Serial())


class AtOnce(Executor, frozen=True):
    def map(self, function, items, shared=None):
        return [function(shared, item) for item in items]


class Backwards(Executor, frozen=True):
    def map(self, function, items, shared=None):
        return iter([function(shared, item) for item in items][::-1])


class Lists(Executor, frozen=True):
    def map(self, function, items, shared=None):
        listed: Any = items
        return iter([function(shared, listed[i]) for i in range(len(listed))])


class Swallowing(Executor, frozen=True):
    def map(self, function, items, shared=None):
        for item in items:
            try:
                yield function(shared, item)
            except Exception:
                continue


class Wrapping(Executor, frozen=True):
    def map(self, function, items, shared=None):
        for item in items:
            try:
                yield function(shared, item)
            except Exception as e:
                raise RuntimeError(str(e)) from e


@pytest.mark.parametrize(
    ("executor", "why"),
    [
        (AtOnce(), "an iterator"),
        (Backwards(), "in the order of the items"),
        (Lists(), "Lists raised TypeError"),
        (Swallowing(), "a DataError of the function arrives as None"),
        (Wrapping(), "a DataError of the function arrives as RuntimeError"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_broken_executors_are_caught(executor, why):
    with pytest.raises(AssertionError, match=why):
        check_executor(executor)
