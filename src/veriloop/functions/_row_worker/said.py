"""What a function's value means: score, decision and reason. Of the standard library only, like all here."""

import math
import re
from typing import Any

REJECT, ACCEPT, ABSTAIN, OPEN = 0, 1, 2, -1
"""As in :class:`veriloop.verdicts.Decision`, which is not imported here: it would bring NumPy."""

NOT_FOR_THIS = 3
"""An abstention that the function chose by returning None: one of several is left out of their sum."""

Answer = tuple[float, int, str]
"""Score, decision and reason."""

NONE = math.nan

REASON = 200
"""The longest reason that is made here, in characters; a function's own may be longer."""


def read(value: Any) -> Answer:
    """What a function's ``value`` for a row says."""
    is_pair = isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], str)
    said: Any = value[0] if is_pair else value
    reason = str.__str__(value[1]) if is_pair else ""  # not by a method of a text class of their own
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
    return NONE, ABSTAIN, f"the function returned {short(repr(said))}, no bool, finite number or None"


def in_words(values: dict[Any, Any]) -> str:
    """Values by name, in a line: ``pred: 5; steps: 2``."""
    return short("; ".join(f"{name}: {value}" for name, value in values.items()))


def short(text: str) -> str:
    """In one line of at most `REASON` characters, and the same in every run."""
    # Where an object lies in memory differs from run to run, and records must not.
    line = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(text.split()))
    return line if len(line) <= REASON else f"{line[: REASON - 3]}..."
