"""Nested values as text: a column of lists and mappings travels through the loop as canonical JSON.

`Nested` is a list of JSON texts, so everything that compares, stores, hashes or splits texts works on it
unchanged. Code that passes rows to user functions calls `veriloop.samples.rows_of`, which parses the values
again.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from .errors import DataError

_write: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Nested(list[str]):
    """Values that are neither a text nor a number, as JSON text, one per row."""

    __slots__ = ()

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Nested":
        """Make a column from ``values`` that JSON can hold. Key order and all digits are kept.

        Raises:
            DataError: A value cannot be written as JSON, such as a date.
        """
        return cls(map(to_text, values))

    def value(self, row: int) -> Any:
        """Return one value, equal to the original."""
        return json.loads(self[row])

    def values(self) -> list[Any]:
        """Return all values."""
        return [json.loads(text) for text in self]


_BREAKS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def on_one_line(json_text: str) -> str:
    """Return the same JSON without characters that some readers take for the end of a line."""
    return json_text.translate(_BREAKS)


def to_text(value: Any) -> str:
    """Return ``value`` as canonical JSON: one line, no spaces, characters not escaped.

    Raises:
        DataError: JSON cannot hold the value.
    """
    try:
        return _write(value)
    except (TypeError, ValueError, RecursionError) as e:
        raise DataError(
            f"a value that JSON cannot hold ({e})",
            got=type(value).__name__,
            expected="texts, numbers, truth values, null, and lists and objects of these",
        ) from None
