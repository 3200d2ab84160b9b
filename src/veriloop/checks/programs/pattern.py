"""Check whether a text matches a regular expression."""

import re
from functools import lru_cache
from typing import Any


def check(row: dict[str, Any], *, text: str, pattern: str, flags: int, full: bool, wanted: bool) -> Any:
    """Return whether the result is as wanted, and what was found."""
    compiled = _compiled(pattern, flags)
    found = (compiled.fullmatch if full else compiled.search)(row[text])
    if found is None:
        return not wanted, "" if not wanted else "the pattern does not match"
    where = f"matches at {found.start()}: {found[0][:60]!r}"
    return wanted, "" if wanted else where


@lru_cache(maxsize=8)
def _compiled(pattern: str, flags: int) -> re.Pattern[str]:
    return re.compile(pattern, flags)
