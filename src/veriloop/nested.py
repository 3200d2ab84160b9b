"""Nested values as text: a column of lists and mappings travels through the loop as canonical JSON.

The column's class says so, wherever the samples go: `Nested` is a list of JSON texts, so that all that
compares, stores, digests and splits texts does so with these. Whoever hands rows to people's own code takes
`veriloop.samples.rows_of`, which reads them back.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from .errors import DataError

_write: Callable[[Any], str] = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Nested(list[str]):
    """Values that are neither one text nor one number, as JSON text, one for each row."""

    __slots__ = ()

    @classmethod
    def of(cls, values: Iterable[Any]) -> "Nested":
        """A column of ``values``: anything JSON can hold. Keys keep their order, numbers all their digits.

        Raises:
            DataError: One holds something else, such as a date.
        """
        return cls(map(to_text, values))

    def value(self, row: int) -> Any:
        """One value, equal to that of which the column was made."""
        return json.loads(self[row])

    def values(self) -> list[Any]:
        """All of them."""
        return [json.loads(text) for text in self]


_BREAKS = {ord(c): f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"}


def on_one_line(json_text: str) -> str:
    """The same JSON without characters that some readers take for the end of a line."""
    return json_text.translate(_BREAKS)


def to_text(value: Any) -> str:
    """``value`` as canonical JSON: on one line, without spaces, in the letters that it has.

    Raises:
        DataError: JSON cannot hold it.
    """
    try:
        return _write(value)
    except (TypeError, ValueError, RecursionError) as e:
        raise DataError(
            f"a value that JSON cannot hold ({e})",
            got=type(value).__name__,
            expected="texts, numbers, truth values, null, and lists and objects of these",
        ) from None
