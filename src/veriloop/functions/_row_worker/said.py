"""Convert a function's return value to score, decision and reason. Uses the standard library only."""

import math
import re
from typing import Any

REJECT, ACCEPT, ABSTAIN, OPEN = 0, 1, 2, -1
"""As in :class:`veriloop.verdicts.Decision`, which would import NumPy."""

NOT_FOR_THIS = 3
"""An abstention chosen by returning None; with several functions it is left out of their sum."""

Answer = tuple[float, int, str]
"""Score, decision and reason."""

NONE = math.nan

REASON = 200
"""Longest reason created here, in characters; a function's own reason may be longer."""


def read(value: Any) -> Answer:
    """Return the answer for a function's ``value`` for a row."""
    is_pair = isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str)
    said: Any = value[0] if is_pair else value
    reason = str.__str__(value[1]) if is_pair else ""  # not with a method of a user's str subclass
    if isinstance(said, dict):
        if "score" not in said:
            return NONE, ABSTAIN, f"the function returned {short(repr(said))}, a dict without 'score'"
        others = {key: word for key, word in said.items() if key not in ("score", "reason")}
        reason = reason or str(said.get("reason") or in_words(others))
        said = said["score"]
    if hasattr(said, "item") and getattr(said, "shape", None) == ():  # a NumPy or torch scalar
        said = said.item()
    if isinstance(said, bool):
        return float(said), ACCEPT if said else REJECT, reason
    if isinstance(said, int | float) and math.isfinite(said):
        return float(said), OPEN, reason
    if said is None:
        return NONE, NOT_FOR_THIS, reason or "the function returned None"
    return (
        NONE,
        ABSTAIN,
        f"the function returned {short(repr(said))}, expected a bool, a finite number or None",
    )


def in_words(values: dict[Any, Any]) -> str:
    """Format values by name in one line: ``pred: 5; steps: 2``."""
    return short("; ".join(f"{name}: {value}" for name, value in values.items()))


def short(text: str) -> str:
    """Return the text in one line of at most `REASON` characters, the same in every run."""
    # Memory addresses differ between runs, but records must not.
    line = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
    return line if len(line) <= REASON else f"{line[: REASON - 3]}..."
