"""Get texts from a server with OpenAI's API: one for each prompt, as the server wrote it."""

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import VeriloopError
from .client import Failure, Plain, ask
from .completions import Completion, body_of, completion_of
from .service import Service, endpoint

_WORDLESS_AT_MOST = 8
"""Number of replies without text, and none with text, after which the model is given up."""


def write(
    service: Service,
    model: str,
    settings: Mapping[str, Any],
    prompts: Sequence[str | list[dict[str, Any]]],
    seeds: Sequence[int],
) -> list[Completion]:
    """Return a completion of each prompt.

    Args:
        service: Service to ask.
        model: Name of the model on the server.
        settings: Fields of every request.
        prompts: Prompts to complete: either all texts to continue, or all chats.
        seeds: Seed for each prompt.

    Returns:
        Completions in the same order. One without text, or whose prompt the server refuses, has an empty text
        and its ``reason``; `Completion.cut` says which ended at the length limit.

    Raises:
        ConfigError: The server cannot be reached or refuses permanently, or the key is missing.
        VeriloopError: It temporarily does not answer a prompt, or no reply at all has a text.
    """
    bodies = {
        row: body_of({**settings, **_prompted(prompt), "seed": seed})
        for row, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))
    }

    def read(row: int, content: Any) -> Completion:
        """Return the completion in a reply; raise if the service writes only empty ones."""
        completion = completion_of(content)
        if not completion.reason:
            talk.known.spoke = True
        elif not talk.known.spoke:
            talk.known.wordless += 1
            if talk.known.wordless >= _WORDLESS_AT_MOST:
                raise _no_texts(talk.url, completion.reason)
        return completion

    chat = bool(prompts) and not isinstance(prompts[0], str)
    talk = Plain(endpoint(service.url, "chat/completions" if chat else "completions"), bodies, read, model)
    replies = ask(service, bodies, talk)
    completions = [_completion(talk.url, replies[row]) for row in bodies]
    few = 1 if not talk.known.spoke else _WORDLESS_AT_MOST - 1
    if len(completions) > few and all(c.reason for c in completions):
        raise _no_texts(talk.url, completions[0].reason)
    return completions


def _prompted(prompt: str | list[dict[str, Any]]) -> dict[str, Any]:
    return {"prompt": prompt} if isinstance(prompt, str) else {"messages": prompt}


def _completion(url: str, reply: Completion | Failure) -> Completion:
    if isinstance(reply, Completion):
        return reply
    if reply.kind == "outage":
        # A missing text differs from an empty one: what an outage left out must be requested again.
        raise VeriloopError(
            f"{url} gave no completion ({reply.reason})",
            fix="resume when it is back; finished rounds are safe",
        )
    return Completion("", reason=reply.reason)


def _no_texts(url: str, reason: str) -> VeriloopError:
    return VeriloopError(
        f"no reply of {url} has a text",
        got=reason,
        fix="check the model, its filter, and the prompts",
    )
