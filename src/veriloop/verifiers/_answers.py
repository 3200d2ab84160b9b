"""Parse a server's answer about one sample, without trusting it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..remote.objects import Unreadable, shown, sound_text
from ..verdicts import Decision, Verdicts

_WORDS = {"accept": Decision.ACCEPT, "reject": Decision.REJECT, "abstain": Decision.ABSTAIN}
_SCORE = {Decision.ACCEPT: 1.0, Decision.REJECT: 0.0, Decision.ABSTAIN: math.nan}


class OneVerdict(NamedTuple):
    """The verdict on one sample."""

    score: float
    decision: Decision
    reason: str = ""

    @classmethod
    def abstention(cls, reason: str) -> "OneVerdict":
        """Return no verdict, with the reason."""
        return cls(math.nan, Decision.ABSTAIN, reason)


def read_answer(
    content: object,
    wanted: Sequence[str] | None = None,
    scale: tuple[float, float] = (-math.inf, math.inf),
) -> OneVerdict:
    """Parse ``{"score": number, "decision": "accept" | "reject" | "abstain", "reason": text}``.

    Without a decision the sample is left open; without a score, accept scores 1 and reject 0.

    Args:
        content: Decoded JSON from a server, which may be malformed.
        wanted: Which of "score" and "decision" is required, the other one being ignored; None for at least
            one of them.
        scale: Lowest and highest score.

    Raises:
        Unreadable: The content has any other form.
    """
    if not isinstance(content, Mapping):
        raise Unreadable(f"got {shown(content)}, expected an object")
    names = wanted or ("score", "decision")
    found = {name: content[name] for name in names if content.get(name) is not None}
    if not found or (wanted and len(found) < len(wanted)):
        raise Unreadable(f"got {shown(content)}, expected {' and '.join(names)}")
    decision = _decision(found["decision"]) if "decision" in found else Decision.OPEN
    score = _score(found["score"], scale) if "score" in found else _SCORE[decision]
    reason = content.get("reason")
    return OneVerdict(score, decision, "" if reason is None else sound_text(str(reason)))


def verdicts_of(answers: Iterable[OneVerdict]) -> Verdicts:
    """Return the answers as verdicts, in order."""
    answers = list(answers)
    return Verdicts(
        [a.score for a in answers], [a.decision for a in answers], reason=[a.reason for a in answers]
    )


def _decision(value: object) -> Decision:
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in _WORDS:
        raise Unreadable(f"decision {shown(value)}, expected one of {', '.join(_WORDS)}")
    return _WORDS[word]


def _score(value: object, scale: tuple[float, float]) -> float:
    low, high = scale
    # Python treats true as a number, and has integers that no float can hold.
    if not isinstance(value, float | int) or isinstance(value, bool) or not low <= value <= high:
        raise Unreadable(f"score {shown(value)}, expected a number in {low:g}..{high:g}")
    if not abs(value) < 1e300:
        raise Unreadable(f"score {shown(value)}, expected a finite number")
    return float(value)
