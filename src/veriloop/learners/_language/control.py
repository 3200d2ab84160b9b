"""Control tokens are what a template or a tokenizer writes; the same letters in a text are text.

What stands in a column, be it ``<|im_end|>`` or ``</s>``, must neither end a turn nor a text. Where a prompt
is put together, each such piece of a column's text is marked by one character that the text does not hold.
So templates, which may trim and compare, work on ordinary text, and the piece is encoded afterwards.
"""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import DataError
from ...turns import Turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = list[int]
"""Token ids of one text."""

Asked = str | list[Turn]
"""A prompt: a text that is to be gone on with, or the turns of a chat."""

_FIRST_MARK = 0xF0000
"""Of the characters that are nobody's: the first for private use beyond the 65,536 common ones."""


class Marked(NamedTuple):
    """A prompt in which control tokens of the data are marked.

    Attributes:
        asked: The prompt.
        marks: What each mark stands for.
    """

    asked: Asked
    marks: Mapping[str, str]

    @property
    def plain(self) -> Asked:
        """As people wrote it."""
        return unmarked(self.asked, self.marks) if self.marks else self.asked


class ControlTokens:
    """The control tokens of a tokenizer.

    Args:
        tokenizer: The model's.
    """

    def __init__(self, tokenizer: "PreTrainedTokenizerBase") -> None:
        self._tokenizer = tokenizer
        added = {t.content for t in tokenizer.added_tokens_decoder.values() if t.special}
        literals = sorted({*added, *tokenizer.all_special_tokens} - {""}, key=lambda t: (-len(t), t))
        self._ids = frozenset(map(self._id, literals))
        self._pattern = re.compile(f"({'|'.join(map(re.escape, literals))})") if literals else None

    def _id(self, token: str) -> int:
        found: Any = self._tokenizer.convert_tokens_to_ids(token)
        return found

    def __contains__(self, token: object) -> bool:
        return token in self._ids

    def marked(self, row: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """The columns of a row with control tokens marked, and what the marks stand for."""
        pattern, texts = self._pattern, list[str]()
        for value in row.values():
            _each_text(value, lambda text: texts.append(text) or text)
        found = {token for text in texts for token in (pattern.findall(text) if pattern else ())}
        if pattern is None or not found:
            return dict(row), {}
        letters = set().union(*texts)
        free = (chr(c) for c in range(_FIRST_MARK, 0x110000) if chr(c) not in letters)
        by_token = dict(zip(sorted(found), free, strict=False))

        def mark(text: str) -> str:
            return pattern.sub(lambda match: by_token[match[0]], text)

        return {n: _each_text(v, mark) for n, v in row.items()}, {m: t for t, m in by_token.items()}

    def ids(self, text: str, marks: Mapping[str, str]) -> Ids:
        """A whole text with marks as token ids: its own control tokens are such, what is marked is not.

        Raises:
            DataError: The tokenizer makes a control token of it all the same.
        """
        assert self._pattern is not None
        ids: Ids = []
        for piece in filter(None, self._pattern.split(text)):
            if self._pattern.fullmatch(piece):
                ids.append(self._id(piece))
            else:
                ids += self.of_texts([unmarked(piece, marks)])[0]
        return ids

    def of_texts(self, texts: list[str]) -> list[Ids]:
        """Texts as token ids, none of them a control token.

        Raises:
            DataError: The tokenizer makes one of some text, wherever that stands.
        """
        if not texts:
            return []
        encoded = self._tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        for text, ids in zip(texts, encoded, strict=True):
            if not self._ids.isdisjoint(ids):
                token = self._tokenizer.convert_ids_to_tokens(next(i for i in ids if i in self._ids))
                raise DataError(
                    f"the tokenizer takes {token!r} for a control token, even inside a text",
                    got=text if len(text) <= 60 else f"{text[:57]}...",
                    fix="drop the row, or write it in another way",
                )
        return encoded


def unmarked(value: Any, marks: Mapping[str, str]) -> Any:
    """``value`` with its marks as the text that they stand for."""
    table = {ord(mark): text for mark, text in marks.items()}
    return _each_text(value, lambda text: text.translate(table))


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """``value`` with each text in it changed, the keys of mappings aside."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(inner, change) for inner in value]
    if isinstance(value, dict):
        return {key: _each_text(inner, change) for key, inner in value.items()}
    return value
