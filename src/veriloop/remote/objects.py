"""Find the JSON object in a model's reply, and shorten replies for messages."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

LONGEST = 500_000
"""Largest reply, in characters, that is searched."""

_TAG = re.compile(
    r"[<\[◁](/?)(?:[a-z]+:)?(?:think|thinking|thoughts?|reasoning|reflection|scratchpad)[>\]▷]", re.IGNORECASE
)
_BEGIN = re.compile(r'\{(?=[ \t\n\r]*")')
"""Start of an object with a key. Other braces are skipped, since each failed attempt scans the text."""
_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """A reply that is not in the requested form."""


class _Found(NamedTuple):
    start: int
    end: int
    content: dict[str, Any]


def last_object(text: str, wanted: Collection[str]) -> dict[str, Any]:
    """Return the last JSON object with the keys ``wanted`` after the model's reasoning, in any wrapping.

    Reasoning is text in ``<think>...</think>`` and similar tags. If it is not closed, the object counts only
    at the end of the reply; an object followed by more text is part of the reasoning.

    Raises:
        Unreadable: There is no such object.
    """
    if len(text) > LONGEST:
        raise Unreadable(f"a reply of {len(text):,} characters, expected at most {LONGEST:,}")
    objects = list(_objects(text))
    answers = _after_reasoning(text, objects)
    try:
        with_keys = [found for answer in answers for found in _with_keys(answer.content, wanted)]
    except RecursionError as e:
        raise Unreadable(f"an object nested too deeply in {shown(text)}") from e
    if with_keys:
        return with_keys[-1]
    if answers:
        raise Unreadable(f"got {shown(answers[-1].content)}, expected {' and '.join(wanted)}")
    if objects and _TAG.search(text):
        raise Unreadable(f"nothing after the reasoning in {shown(text)}")
    raise Unreadable(f"no JSON in {shown(text)}")


def _objects(text: str) -> Iterator[_Found]:
    """Yield all outermost JSON objects, from left to right."""
    begin = _BEGIN.search(text)
    while begin:
        try:
            content, end = _DECODER.raw_decode(text, begin.start())
        except (ValueError, RecursionError):
            end = begin.end()
        else:
            yield _Found(begin.start(), end, content)
        begin = _BEGIN.search(text, end)


def _after_reasoning(text: str, objects: list[_Found]) -> list[_Found]:
    # A tag inside an object is part of one of its texts.
    tags = [t for t in _TAG.finditer(text) if not any(o.start <= t.start() < o.end for o in objects)]
    closing = [tag.end() for tag in tags if tag[1]]
    begin = closing[-1] if closing else 0
    opening = [tag.start() for tag in tags if not tag[1] and tag.start() >= begin]
    end = opening[0] if opening else len(text)
    answers = [o for o in objects if begin <= o.start < end]
    if answers:
        return answers
    if opening:
        return [o for o in objects[-1:] if o.start >= end and not text[o.end :].strip("` \t\r\n")]
    # Reasoning that comes after the answer.
    first = tags[0].start() if tags and not tags[0][1] else 0
    return [o for o in objects if o.end <= first]


def _with_keys(content: object, wanted: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield ``content`` if it has the keys; otherwise the objects inside it that do."""
    if isinstance(content, dict):
        if all(name in content for name in wanted):
            yield content
            return
        content = list(content.values())
    if isinstance(content, list):
        for member in content:
            yield from _with_keys(member, wanted)


def sound_text(text: str) -> str:
    """Return ``text`` without lone surrogates, which JSON can express but no file can hold."""
    return text.encode(errors="replace").decode()


def shown(value: object) -> str:
    """Return ``value`` in a few words, for a message."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(sound_text(text).split())
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
