"""Samples as lines of JSON, the form in which a worker receives its rows."""

import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..nested import Nested
from ..samples import Column, Samples

encode: Callable[[object], str] = json.JSONEncoder(check_circular=False, default=float).encode
"""A line of JSON; numeric types unknown to the standard library become floats."""

ROUND = "_round"
"""Name of the loop's column with the round in which a sample was made."""

_WIDER = {"e": np.float32, "g": np.float64}
"""Numeric types that the standard library cannot read, and the types in which they are sent."""


class Rows:
    """The rows of samples, converted to lines on request.

    A line is ``[number, round, [[row, arrays], ...]]``. Texts and numbers are in ``row`` directly. If a row
    of a column is itself an array, ``arrays`` has its format, shape and bytes in Base64, because writing and
    reading hundreds of decimal numbers would take longer than most functions.

    Args:
        samples: Samples to convert.
        names: Names of the columns to send.
        beside: Other values for each row, by name.
    """

    def __init__(
        self, samples: Samples, names: Sequence[str], beside: Mapping[str, Sequence[Any]] | None = None
    ) -> None:
        self._length = len(samples)
        self._plain: dict[str, Callable[[int], Any]] = {}
        self._arrays: dict[str, NDArray[Any]] = {}
        self._round = int(samples.array(ROUND)[0]) if ROUND in samples and len(samples) else 0
        for name in names:
            column = samples[name]
            if isinstance(column, np.ndarray) and column.ndim > 1 and column.size:
                self._arrays[name] = np.ascontiguousarray(column, _native(column.dtype))
                self._plain[name] = _nothing
            else:
                self._plain[name] = _value(column)
        self.names: list[str] = list(self._plain)
        """Names of the columns."""
        for name, values in (beside or {}).items():
            self._plain[name] = values.__getitem__

    def __len__(self) -> int:
        return self._length

    def line(self, rows: range) -> str:
        """Return the line for a call on ``rows``."""
        return encode([rows.start, self._round, [self._row(number) for number in rows]])

    def _row(self, number: int) -> list[dict[str, Any]]:
        row = {name: value(number) for name, value in self._plain.items()}
        arrays = {
            name: [array.dtype.char, array.shape[1:], binascii.b2a_base64(array[number]).decode()]
            for name, array in self._arrays.items()
        }
        return [row, arrays]


def _nothing(number: int) -> None:
    """Placeholder for an array in the order of columns."""


def _value(column: Column) -> Callable[[int], Any]:
    if isinstance(column, np.ndarray):
        return lambda number: column[number].tolist()
    # One row at a time, because parsed nested values take more memory than their text.
    return column.value if isinstance(column, Nested) else column.__getitem__


def _native(dtype: np.dtype) -> np.dtype:
    return np.dtype(_WIDER.get(dtype.char, dtype)).newbyteorder("=")
