import math

import pytest

from veriloop.records import Estimate
from veriloop.report.names import duration, short, signed, with_error


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (23.14, "23.1"),
        (0.0123, "0.0123"),
        (512.4, "512"),
        (4321.0, "4,321"),
        (1.0, "1.00"),
        (math.nan, "\u2013"),
    ],
)
def test_numbers_have_three_digits(x: float, shown: str) -> None:
    assert short(x) == shown


def test_a_change_has_a_sign() -> None:
    assert [signed(x) for x in (0.0123, -3.4, 0.0)] == ["+0.0123", "-3.40", "0.00"]


@pytest.mark.parametrize(
    ("value", "se", "shown"),
    [
        (12.416, 0.31, "12.4 ± 0.3"),
        (12.416, 0.131, "12.42 ± 0.13"),
        (0.86, 0.0082, "0.860 ± 0.008"),
        (101.4, 23.0, "101 ± 23"),
        (12.416, math.nan, "12.4"),
        (12.416, 0.0, "12.4"),
        (math.nan, 0.1, "\u2013"),
    ],
)
def test_a_value_has_the_digits_that_its_error_leaves(value: float, se: float, shown: str) -> None:
    assert with_error(Estimate(value, se)) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.03, "30 ms"),
        (0.42, "0.4 s"),
        (9.96, "10 s"),
        (59.7, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.9, "1 h 00 min"),
        (11_400, "3 h 10 min"),
        (math.inf, "\u2013"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown
