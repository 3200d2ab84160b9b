"""Check whether the last answer in a text equals the correct one, as math-verify understands mathematics."""

import logging
import re
from functools import lru_cache
from typing import Any

from math_verify import parse, verify

logging.getLogger("math_verify").setLevel(logging.CRITICAL)

END = "####"
"""Marks the answer in GSM8K's solutions."""

MATHEMATICS = re.compile(r"[\d\\^_=+*/<>(){}\[\]-]|^\w$")
"""Characters that occur in formulas but not in words."""


def check(row: dict[str, Any], *, text: str, reference: str, rounding: int, strict: bool) -> tuple[Any, str]:
    """Return True, False, or None if the reference is not mathematics; and the reason."""
    right, said = _parsed(str(row[reference])), row[text]
    if not right:
        return None, f"the reference cannot be read as mathematics: {_cut(str(row[reference]))}"
    found = parse(said, parsing_timeout=None)  # pyright: ignore[reportArgumentType]
    if not found:
        return False, f"no answer found; expected {_cut(right[-1])}"
    # Without the library's time limits: they use signals, and count a slow answer as wrong.
    equal = verify(right, found, float_rounding=rounding, strict=strict, timeout_seconds=None)
    return equal, _cut(found[-1]) if equal else f"got {_cut(found[-1])}, expected {_cut(right[-1])}"


@lru_cache(maxsize=1000)
def _parsed(reference: str) -> list[Any]:
    answer = reference.rpartition(END)[2].strip()
    # A word between dollar signs would be read as the product of its letters.
    forms = (answer, f"${answer}$") if MATHEMATICS.search(answer) else (answer,)
    for form in forms:
        if found := parse(form, parsing_timeout=None):  # pyright: ignore[reportArgumentType]
            return found
    return []


def _cut(value: Any) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= 60 else f"{line[:57]}..."
