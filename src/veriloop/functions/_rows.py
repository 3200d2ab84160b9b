"""Samples as the lines of JSON in which a worker gets its rows."""

import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nested import Nested
from ..samples import Column, Samples

encode = json.JSONEncoder(check_circular=False, default=float).encode
"""A line of JSON; numbers that the standard library does not know become floats."""

_WIDER = {"e": np.float32, "g": np.float64}
"""Numbers of a width that the standard library does not read, and in which of those it does they are sent."""


class Rows:
    """The rows of samples, made into lines when they are asked for.

    A line is ``[number, row, arrays]``. Texts and numbers stand in ``row`` as they are. Where a row of a
    column is itself an array, ``arrays`` has its format, shape and bytes in Base64: to write and to read
    hundreds of numbers in decimal digits would take longer than most functions.
    """

    def __init__(self, samples: Samples, names: Sequence[str]) -> None:
        self._length = len(samples)
        self._plain: dict[str, Callable[[int], Any]] = {}
        self._arrays: dict[str, NDArray] = {}
        for name in names:
            column = samples[name]
            if isinstance(column, np.ndarray) and column.ndim > 1 and column.size:
                self._arrays[name] = np.ascontiguousarray(column, _native(column.dtype))
                self._plain[name] = _nothing
            else:
                self._plain[name] = _value(column)

    def __len__(self) -> int:
        return self._length

    def line(self, number: int) -> str:
        """The line for row ``number``."""
        row = {name: value(number) for name, value in self._plain.items()}
        arrays = {
            name: [array.dtype.char, array.shape[1:], binascii.b2a_base64(array[number]).decode()]
            for name, array in self._arrays.items()
        }
        return encode([number, row, arrays])


def _nothing(number: int) -> None:
    """Holds the place of an array in the order of columns."""


def _value(column: Column) -> Callable[[int], Any]:
    if isinstance(column, np.ndarray):
        return lambda number: column[number].tolist()
    # One row at a time: nested values take more memory read than written.
    return column.value if isinstance(column, Nested) else column.__getitem__


def _native(dtype: np.dtype) -> np.dtype:
    return np.dtype(_WIDER.get(dtype.char, dtype)).newbyteorder("=")
