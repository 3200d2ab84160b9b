"""Strings that end a text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LOOKED_AT = 8
"""Number of tokens at a text's end searched for a stop string, in addition to one for each of its bytes."""


class StopStrings:
    """Strings that end a text; they are not part of it.

    Args:
        strings: The strings; the first one to occur ends the text.
        tokenizer: Tokenizer of the model.
    """

    def __init__(self, strings: Sequence[str], tokenizer: "PreTrainedTokenizerBase") -> None:
        self._strings, self._tokenizer = tuple(strings), tokenizer
        self._tail = max((len(text.encode()) for text in strings), default=0) + LOOKED_AT

    def reached(self, ids: Sequence[int]) -> bool:
        """Whether one of them occurs in the decoded tokens. Called after each token."""
        if not self._strings or not self._stands_in(ids[-self._tail :]):
            return False
        return self._stands_in(ids)  # the end alone may decode differently

    def _stands_in(self, ids: Sequence[int]) -> bool:
        text = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return any(string in text for string in self._strings)


def before(text: str, stop: Sequence[str]) -> str:
    """Return ``text`` up to the first of the strings in it; all of it if there is none."""
    return text[: min((place for string in stop if (place := text.find(string)) >= 0), default=len(text))]
