"""Normalise chat turns in data to one form: a list of dicts with ``role`` and ``content``.

ShareGPT's ``from`` and ``value`` are also accepted, and so is a list given as JSON text, as in a CSV cell.
Other keys of a turn, such as ``name`` or ``tool_calls``, are kept, because chat templates use them.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import DataError
from .nested import Nested

Turn = dict[str, Any]

KNOWN = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
}
"""Names of speakers in data, and the matching names in chat templates."""

FORMS = (("role", "content"), ("from", "value"))
"""Keys for the speaker and the content: OpenAI's, and ShareGPT's."""

LEADING = ("system", "developer")


def look_like_turns(value: object) -> bool:
    """Whether ``value`` looks like a list of turns, or JSON text of one, judged by its first element."""
    if isinstance(value, str):
        if not value.lstrip().startswith("["):
            return False
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return False
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return False
    first = value[0]
    return isinstance(first, Mapping) and any(set(form) <= first.keys() for form in FORMS)


def last_role(value: object) -> str | None:
    """Return the last speaker in a value that looks like turns; None if it cannot be found."""
    turns: Any = json.loads(value) if isinstance(value, str) else value
    last = turns[-1]
    who = next((last[form[0]] for form in FORMS if isinstance(last, Mapping) and form[0] in last), None)
    return KNOWN.get(who) if isinstance(who, str) else None


def are_turns(column: Nested) -> bool:
    """Whether a nested column holds turns, judged by its first value."""
    return bool(column) and look_like_turns(column[0])


def read_turns(value: object, where: str) -> list[Turn]:
    """Return the turns of one chat, normalised and checked.

    System turns come first. No role speaks twice in a row, except tools after a call. No turn is empty.

    Args:
        value: Value from the data.
        where: Location for error messages, such as ``chats.jsonl, line 3: column 'messages'``.

    Raises:
        DataError: It is not a chat, or not one that a model can continue.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise DataError(
                where, got=_short(value), expected="a list of turns, or JSON text of one"
            ) from None
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise DataError(where, got=type(value).__name__, expected="a list of turns")
    if not value:
        raise DataError(f"{where} has no turns", fix="drop the row")
    turns = [_turn(turn, f"{where}, turn {number}") for number, turn in enumerate(value, 1)]
    before: Turn | None = None
    for number, turn in enumerate(turns, 1):
        _check_order(before, turn, f"{where}, turn {number}")
        before = turn
    return turns


def said_by_assistant(turn: Turn, where: str) -> str:
    """Return the text of an assistant ``turn``, which must be an answer in words.

    Raises:
        DataError: Another role speaks, or the turn is a tool call.
    """
    if turn["role"] != "assistant":
        raise DataError(
            f"{where} does not end with an assistant turn",
            got=f"a turn of {turn['role']}",
            expected="an answer to learn from, as the other rows have",
            fix="drop the row, or the last turns of all rows",
        )
    if turn.get("tool_calls"):
        raise DataError(
            f"{where} ends with a tool call",
            expected="an answer in words; tool calls and replies may come before it",
            fix="drop the row",
        )
    return turn["content"]


def in_words(turns: Sequence[Turn]) -> str:
    """Return the text of a chat, one turn after the other, without the speakers."""
    return "\n".join(turn["content"] for turn in turns if turn.get("content"))


def shown(turns: Sequence[Turn]) -> str:
    """Format a chat for people: speaker and text, one turn after the other."""
    return "\n".join(f"{turn['role']}: {turn.get('content') or turn.get('tool_calls', '')}" for turn in turns)


def _turn(turn: object, where: str) -> Turn:
    form = next((f for f in FORMS if isinstance(turn, Mapping) and f[0] in turn), None)
    if form is None:
        got = _short(turn) if isinstance(turn, Mapping) else type(turn).__name__
        raise DataError(where, got=got, expected="an object with role and content (or from and value)")
    assert isinstance(turn, Mapping)
    who, what = turn[form[0]], turn.get(form[1])
    if not isinstance(who, str) or who not in KNOWN:
        raise DataError(f"{where}: {form[0]}", got=_short(who), expected=f"one of {', '.join(KNOWN)}")
    # Missing keys in some rows of a Parquet file are read as null.
    others = {key: value for key, value in turn.items() if key not in form and value is not None}
    content = _content(what, where)
    if not content.strip() and not others.get("tool_calls"):
        raise DataError(f"{where} ({who}) is empty", fix="fill it in, or drop the turn or the row")
    return {"role": KNOWN[who], "content": content, **others}


def _content(what: object, where: str) -> str:
    if what is None:
        return ""
    if isinstance(what, Sequence) and not isinstance(what, str):
        texts = [
            part.get("text") for part in what if isinstance(part, Mapping) and part.get("type") == "text"
        ]
        if len(texts) < len(what) or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{where}: content", got="parts that are not text", expected="text only")
        return "".join(map(str, texts))
    if not isinstance(what, str):
        raise DataError(f"{where}: content", got=type(what).__name__, expected="text")
    return what


def _check_order(before: Turn | None, turn: Turn, where: str) -> None:
    role = turn["role"]
    last = None if before is None else before["role"]
    if role in LEADING and last not in (None, *LEADING):
        raise DataError(f"{where}: a {role} prompt after other turns", fix="put it first, or drop the row")
    if role == last and role in ("user", "assistant"):
        raise DataError(
            f"{where}: two turns of the {role} in a row", fix="join the two, or drop one or the row"
        )
    if role == "tool" and not (last == "tool" or (before is not None and before.get("tool_calls"))):
        raise DataError(f"{where}: a tool reply without a call", fix="drop the row")


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
