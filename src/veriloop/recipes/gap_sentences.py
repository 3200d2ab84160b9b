"""Training rows for a summariser that has seen no summary: articles, and one sentence of each to write.

The method of gap sentences is from PEGASUS (Zhang, Zhao, Saleh, Liu, ICML 2020, arXiv 1912.08777). From a
piece of text, the sentence that shares most words with the others is removed, and the model learns to write
it after reading the rest. In some of the rows (a fifth in PEGASUS) the sentence stays, which teaches copying.

A small model learns to copy within a thousand batches of rows that repeat a text, but hardly ever from the
few tokens of a sentence that stays. So the first rows repeat a text, in the same form.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ids: TypeAlias = list[int]

_END = re.compile(r"(?<=[.!?\"”])\s+(?=[A-Z\"“])")

SHORTEST, LONGEST = 8, 48
"""Number of tokens that the sentence to write may have: about the length of summaries in one sentence."""


class Layout(NamedTuple):
    """Layout of a row: ``before``, text, ``between``, the sentence, ``end``; ``length`` tokens in total."""

    before: Ids
    between: Ids
    end: int
    length: int

    @property
    def room(self) -> int:
        """Number of tokens left for the text and the sentence."""
        return self.length - len(self.before) - len(self.between) - 1


def sentences(text: str) -> list[str]:
    """Split ``text`` after full stops, question marks and closing quotes before a capital letter."""
    return _END.split(text)


def gap_rows(
    articles: Sequence[Sequence[Ids]], layout: Layout, first: int, copied: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return all rows of ``articles``, shape (n, ``layout.length``), in order.

    Args:
        articles: Token ids of each sentence of each article.
        layout: Layout of the rows.
        first: Sentence at which the first row of each article starts; another one gives other rows.
        copied: Share of the rows in which the sentence stays in the text.
        rng: Source of randomness for choosing these rows.
    """
    room = layout.room
    rows: list[Ids] = []
    for article in articles:
        for window in _windows(article[first:], room):
            chosen = _most_central(window, room)
            if chosen is None:
                continue
            stays = rng.random() < copied
            gap = window[chosen]
            text = [t for i, sentence in enumerate(window) if stays or i != chosen for t in sentence]
            text = text[: room - len(gap)]
            rows.append([*layout.before, *text, *layout.between, *gap, layout.end])
    return np.array(rows, np.int64).reshape(-1, layout.length)


def repeated_rows(
    articles: Sequence[Sequence[Ids]], layout: Layout, first: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return rows of ``articles`` that repeat a text over and over, also in place of the sentence.

    Their shape is (n, ``layout.length``), in order. The length of the text differs from row to row, because a
    model could learn a fixed distance instead of searching what it has read.

    Args:
        articles: Token ids of each sentence of each article.
        layout: Layout of the rows.
        first: Sentence of each article at which its first row starts.
        rng: Source of randomness for the length of each text, from `SHORTEST` to half a row.
    """
    half = layout.room // 2
    rows: list[Ids] = []
    for article in articles:
        tokens = [token for sentence in article[first:] for token in sentence]
        for begin in range(0, len(tokens) - half + 1, half):
            text = tokens[begin : begin + int(rng.integers(SHORTEST, half, endpoint=True))]
            again = (text * -(-layout.room // len(text)))[: layout.room]
            rows.append([*layout.before, *again[:half], *layout.between, *again[half:], layout.end])
    return np.array(rows, np.int64).reshape(-1, layout.length)


def _windows(article: Sequence[Ids], room: int) -> Iterator[Sequence[Ids]]:
    """Yield pieces of whole sentences, each of ``room`` tokens or slightly more; the rest is left out."""
    begin = tokens = 0
    for i, sentence in enumerate(article):
        tokens += len(sentence)
        if tokens >= room:
            yield article[begin : i + 1]
            begin, tokens = i + 1, 0


def _most_central(window: Sequence[Ids], room: int) -> int | None:
    """Return the sentence with the largest unigram F1 against the others in the window."""
    whole = Counter(t for sentence in window for t in sentence)
    total = whole.total()
    best, chosen, end = 0.0, None, 0
    for i, sentence in enumerate(window):
        end += len(sentence)
        if not SHORTEST <= len(sentence) <= LONGEST or end > room - len(sentence):
            continue
        own = Counter(sentence)
        shared = sum(min(n, whole[t] - n) for t, n in own.items())
        # Precision and recall share the numerator, so F1 is twice the shared tokens over both lengths, whose
        # sum is the window's.
        if (f1 := 2 * shared / total) > best:
            best, chosen = f1, i
    return chosen
