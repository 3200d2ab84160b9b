"""Strings that end a text."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LOOKED_AT = 8
"""Tokens at a text's end that are looked at for a stop string, beside one for each of its bytes."""


class StopStrings:
    """Strings that end a text; they are no part of it.

    Args:
        strings: Of which the first to occur ends it.
        tokenizer: The model's.
    """

    def __init__(self, strings: Sequence[str], tokenizer: "PreTrainedTokenizerBase") -> None:
        self._strings, self._tokenizer = tuple(strings), tokenizer
        self._tail = max((len(text.encode()) for text in strings), default=0) + LOOKED_AT

    def reached(self, ids: Sequence[int]) -> bool:
        """Whether one of them stands in what the tokens say. Asked for after each token."""
        if not self._strings or not self._stands_in(ids[-self._tail :]):
            return False
        return self._stands_in(ids)  # the end alone may read otherwise than the whole

    def _stands_in(self, ids: Sequence[int]) -> bool:
        text = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return any(string in text for string in self._strings)


def before(text: str, stop: Sequence[str]) -> str:
    """``text`` up to the first of the strings in it; all of it where there is none."""
    return text[: min((place for string in stop if (place := text.find(string)) >= 0), default=len(text))]
