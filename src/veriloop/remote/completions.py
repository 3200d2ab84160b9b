"""Parse the replies of a server with OpenAI's API, leniently."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .objects import Unreadable, shown, sound_text

_CUT = frozenset({"length", "max_tokens"})


class Completion(NamedTuple):
    """What a model wrote.

    Attributes:
        text: Text as the server sent it, including white space; empty if there is none.
        finish: Reason for ending, as the server gives it, such as ``stop`` or ``content_filter``.
        reason: Why there is no text; empty if there is one.
        prompt_tokens: Number of prompt tokens as counted by the server.
        completion_tokens: Number of completion tokens as counted by the server.
    """

    text: str
    finish: str = ""
    reason: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def cut(self) -> bool:
        """Whether it ended at the length limit."""
        return self.finish in _CUT


def completion_of(content: Any) -> Completion:
    """Return the first choice of a completion or chat completion.

    Missing content, a refusal, a filtered reply and a missing message are completions without text, with the
    reason: asking again would cost as much and give the same result.

    Raises:
        Unreadable: It is not a completion, or has no choices.
    """
    if not isinstance(content, Mapping):
        raise Unreadable(f"got {shown(content)}, expected a completion")
    choices = content.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        said = content.get("error") or content
        raise Unreadable(f"no completion but {shown(said)}")
    choice = choices[0]
    message = choice.get("message")
    finish = choice.get("finish_reason")
    finish = sound_text(finish) if isinstance(finish, str) else ""
    if isinstance(message, Mapping):
        text, refusal = message.get("content"), message.get("refusal")
    else:
        text, refusal = choice.get("text"), None
    if isinstance(text, list):
        # Some gateways answer in parts, like the content of questions.
        parts = [part.get("text") for part in text if isinstance(part, Mapping)]
        text = "".join(part for part in parts if isinstance(part, str))
    if text is not None and not isinstance(text, str):
        raise Unreadable(f"a completion whose text is {shown(text)}")
    tokens = _tokens(content.get("usage"))
    if refusal and not text:
        return Completion("", finish, f"the model refuses: {shown(refusal)}", *tokens)
    if text is None or (not text and finish == "content_filter"):
        what = "content" if isinstance(message, Mapping) else "message"
        why = f"finish_reason {finish}" if finish else "no reason given"
        return Completion("", finish, f"a reply without {what} ({why})", *tokens)
    return Completion(sound_text(text), finish, "", *tokens)


def _tokens(usage: object) -> tuple[int, int]:
    usage = {} if usage is None else usage
    try:
        counts = [int(usage.get(name) or 0) for name in ("prompt_tokens", "completion_tokens")]  # pyright: ignore[reportAttributeAccessIssue]
    except (TypeError, AttributeError, ValueError, OverflowError) as e:
        raise Unreadable(f"numbers of tokens are {shown(usage)}") from e
    if not all(0 <= count < 2**40 for count in counts):
        raise Unreadable("a completion with impossible numbers of tokens")
    return counts[0], counts[1]


def body_of(question: Mapping[str, Any]) -> bytes:
    """Return canonical JSON, so that equal questions have equal bytes."""
    return json.dumps(question, sort_keys=True).encode()
