"""The JSON object in a model's reply, found as a reader would find it, and what a message may show of it."""

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

LONGEST = 500_000
"""Characters of a reply that is searched."""

_TAG = re.compile(
    r"[<\[◁](/?)(?:[a-z]+:)?(?:think|thinking|thoughts?|reasoning|reflection|scratchpad)[>\]▷]", re.IGNORECASE
)
_BEGIN = re.compile(r'\{(?=[ \t\n\r]*")')
"""How an object with a key begins. Other braces are not tried: a mistake costs a look at the whole text."""
_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """A reply that is not what was asked for."""


class _Found(NamedTuple):
    start: int
    end: int
    content: dict[str, Any]


def last_object(text: str, wanted: Collection[str]) -> dict[str, Any]:
    """The last JSON object with the keys ``wanted`` after the model's reasoning, in whatever wrapping.

    Reasoning is what stands in ``<think>...</think>`` and its like. Where it has no end, the object counts
    only if the reply ends with it: what is followed by more is a thought.

    Raises:
        Unreadable: There is none.
    """
    if len(text) > LONGEST:
        raise Unreadable(f"a reply of {len(text):,} characters, expected at most {LONGEST:,}")
    objects = list(_objects(text))
    answers = _after_reasoning(text, objects)
    try:
        with_keys = [found for answer in answers for found in _with_keys(answer.content, wanted)]
    except RecursionError as e:
        raise Unreadable(f"an object too deep in {shown(text)}") from e
    if with_keys:
        return with_keys[-1]
    if answers:
        raise Unreadable(f"got {shown(answers[-1].content)}, expected {' and '.join(wanted)}")
    if objects and _TAG.search(text):
        raise Unreadable(f"nothing after the reasoning in {shown(text)}")
    raise Unreadable(f"no JSON in {shown(text)}")


def _objects(text: str) -> Iterator[_Found]:
    """All outermost JSON objects, from left to right."""
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
    # A tag within an object is part of one of its texts.
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
    """``content`` if it has the keys; otherwise what in it has."""
    if isinstance(content, dict):
        if all(name in content for name in wanted):
            yield content
            return
        content = list(content.values())
    if isinstance(content, list):
        for member in content:
            yield from _with_keys(member, wanted)


def sound_text(text: str) -> str:
    """``text`` without halves of surrogate pairs, which JSON can spell and no file can hold."""
    return text.encode(errors="replace").decode()


def shown(value: object) -> str:
    """``value`` in a few words, for a message."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(sound_text(text).split())
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
