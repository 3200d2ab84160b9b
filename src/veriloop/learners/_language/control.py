"""Control tokens come only from templates and tokenizers; the same letters in a text are text.

Text in a column, such as ``<|im_end|>`` or ``</s>``, must not end a turn or a text. When a prompt is built,
each such piece of a column's text is replaced by one character that does not occur in the text. Templates,
which may trim and compare, then work on ordinary text, and the piece is encoded afterwards.
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
"""A prompt: a text to continue, or the turns of a chat."""

_FIRST_MARK = 0xF0000
"""First character of the private-use range beyond the 65,536 common characters."""


class Marked(NamedTuple):
    """A prompt in which control tokens from the data are marked.

    Attributes:
        asked: The prompt.
        marks: Text that each mark stands for.
    """

    asked: Asked
    marks: Mapping[str, str]

    @property
    def plain(self) -> Asked:
        """The prompt as people wrote it."""
        return unmarked(self.asked, self.marks) if self.marks else self.asked


class ControlTokens:
    """The control tokens of a tokenizer.

    Args:
        tokenizer: Tokenizer of the model.
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
        """Return the columns of a row with control tokens marked, and the texts of the marks."""
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
            """Replace each control token in ``text`` by its mark."""
            return pattern.sub(lambda match: by_token[match[0]], text)

        return {n: _each_text(v, mark) for n, v in row.items()}, {m: t for t, m in by_token.items()}

    def ids(self, text: str, marks: Mapping[str, str]) -> Ids:
        """Encode a text with marks as token ids: its own control tokens stay such, marked text does not.

        Raises:
            DataError: The tokenizer still makes a control token from marked text.
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
        """Encode texts as token ids, none of them a control token.

        Raises:
            DataError: The tokenizer makes a control token from part of a text.
        """
        if not texts:
            return []
        encoded = self._tokenizer(texts, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        for text, ids in zip(texts, encoded, strict=True):
            if not self._ids.isdisjoint(ids):
                token = self._tokenizer.convert_ids_to_tokens(next(i for i in ids if i in self._ids))
                raise DataError(
                    f"the tokenizer treats {token!r} as a control token, even inside a text",
                    got=text if len(text) <= 60 else f"{text[:57]}...",
                    fix="drop the row, or rephrase it",
                )
        return encoded


def unmarked(value: Any, marks: Mapping[str, str]) -> Any:
    """Return ``value`` with its marks replaced by the text they stand for."""
    table = {ord(mark): text for mark, text in marks.items()}
    return _each_text(value, lambda text: text.translate(table))


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return ``value`` with each text in it changed, except keys of mappings."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_each_text(inner, change) for inner in value]
    if isinstance(value, dict):
        return {key: _each_text(inner, change) for key, inner in value.items()}
    return value
