"""What a server says of one sample, read with suspicion."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..verdicts import Decision, Verdicts
from ._requests import Unreadable

_WORDS = {"accept": Decision.ACCEPT, "reject": Decision.REJECT, "abstain": Decision.ABSTAIN}
_SCORE = {Decision.ACCEPT: 1.0, Decision.REJECT: 0.0, Decision.ABSTAIN: math.nan}


class OneVerdict(NamedTuple):
    """One sample's verdict."""

    score: float
    decision: Decision
    reason: str = ""

    @classmethod
    def abstention(cls, reason: str) -> "OneVerdict":
        """No verdict, and why."""
        return cls(math.nan, Decision.ABSTAIN, reason)


def read_answer(
    content: object,
    wanted: Sequence[str] | None = None,
    scale: tuple[float, float] = (-math.inf, math.inf),
) -> OneVerdict:
    """An answer from ``{"score": number, "decision": "accept" | "reject" | "abstain", "reason": text}``.

    Without a decision the sample is left open; without a score it gets 1 for accept and 0 for reject.

    Args:
        content: Decoded JSON, from a server that may not have understood.
        wanted: Which of "score" and "decision" must be there, the other one being ignored; None for
            at least one of them.
        scale: The least and the largest score.

    Raises:
        Unreadable: It is anything else.
    """
    if not isinstance(content, Mapping):
        raise Unreadable(f"got {_shown(content)}, expected an object")
    names = wanted or ("score", "decision")
    found = {name: content[name] for name in names if content.get(name) is not None}
    if not found or (wanted and len(found) < len(wanted)):
        raise Unreadable(f"got {_shown(content)}, expected {' and '.join(names)}")
    decision = _decision(found["decision"]) if "decision" in found else Decision.OPEN
    score = _score(found["score"], scale) if "score" in found else _SCORE[decision]
    reason = content.get("reason")
    return OneVerdict(score, decision, "" if reason is None else sound_text(str(reason)))


def read_json(text: str) -> Any:
    """The JSON object in a model's reply, which may stand in a fence or among other words.

    Raises:
        Unreadable: There is none.
    """
    for candidate in (text, text[text.find("{") : text.rfind("}") + 1]):
        try:
            return json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    raise Unreadable(f"no JSON in {_shown(text)}")


def sound_text(text: str) -> str:
    """``text`` without halves of surrogate pairs, which JSON can spell and no file can hold."""
    return text.encode(errors="replace").decode()


def verdicts_of(answers: Iterable[OneVerdict]) -> Verdicts:
    """The answers as verdicts, in their order."""
    answers = list(answers)
    return Verdicts(
        [a.score for a in answers], [a.decision for a in answers], reason=[a.reason for a in answers]
    )


def _decision(value: object) -> Decision:
    word = value.strip().lower() if isinstance(value, str) else None
    if word not in _WORDS:
        raise Unreadable(f"decision {_shown(value)}, expected one of {', '.join(_WORDS)}")
    return _WORDS[word]


def _score(value: object, scale: tuple[float, float]) -> float:
    low, high = scale
    # Python takes true for a number, and has whole numbers that no float can hold.
    if not isinstance(value, float | int) or isinstance(value, bool) or not low <= value <= high:
        raise Unreadable(f"score {_shown(value)}, expected a number in {low:g}..{high:g}")
    if not abs(value) < 1e300:
        raise Unreadable(f"score {_shown(value)}, expected a finite number")
    return float(value)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(text.split())
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
