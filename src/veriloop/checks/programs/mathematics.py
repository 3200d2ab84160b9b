"""Whether a text's last answer equals the right one, as math-verify understands mathematics."""

import logging
import re
from functools import lru_cache
from typing import Any

from math_verify import parse, verify

logging.getLogger("math_verify").setLevel(logging.CRITICAL)

END = "####"
"""After this the answer stands in GSM8K's solutions."""

MATHEMATICS = re.compile(r"[\d\\^_=+*/<>(){}\[\]-]|^\w$")
"""What a formula has, and a word has not."""


def check(row: dict[str, Any], *, text: str, reference: str, rounding: int, strict: bool) -> tuple[Any, str]:
    """True, False, or None where the reference is no mathematics; and why."""
    right, said = _parsed(str(row[reference])), row[text]
    if not right:
        return None, f"the reference cannot be read as mathematics: {_cut(str(row[reference]))}"
    found = parse(said, parsing_timeout=None)  # pyright: ignore[reportArgumentType]
    if not found:
        return False, f"no answer found; expected {_cut(right[-1])}"
    # No time limits of theirs: they work by signals, and take what was too slow for wrong.
    equal = verify(right, found, float_rounding=rounding, strict=strict, timeout_seconds=None)
    return equal, _cut(found[-1]) if equal else f"got {_cut(found[-1])}, expected {_cut(right[-1])}"


@lru_cache(maxsize=1000)
def _parsed(reference: str) -> list[Any]:
    answer = reference.rpartition(END)[2].strip()
    # A word between dollars would be read as the product of its letters.
    forms = (answer, f"${answer}$") if MATHEMATICS.search(answer) else (answer,)
    for form in forms:
        if found := parse(form, parsing_timeout=None):  # pyright: ignore[reportArgumentType]
            return found
    return []


def _cut(value: Any) -> str:
    line = " ".join(str(value).split())
    return line if len(line) <= 60 else f"{line[:57]}..."
