"""Training rows for a summariser that has seen no summary: articles, and a sentence of each to write.

Gap sentences are due to PEGASUS (Zhang, Zhao, Saleh, Liu, ICML 2020, arXiv 1912.08777): of a stretch of text,
the sentence that shares most words with the others is taken out, and the model learns to write it after
reading the rest. In a part of the rows it stays in (a fifth in PEGASUS), which teaches to copy.

A small model learns to copy within a thousand batches of rows that repeat a text, and hardly ever from the
few tokens of a sentence that stays. So such rows come first, in the same form.
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
"""Tokens of a sentence that may be the one to write: about as many as summaries in one sentence have."""


class Layout(NamedTuple):
    """A row: ``before``, text, ``between``, the sentence, ``end``; ``length`` tokens in all."""

    before: Ids
    between: Ids
    end: int
    length: int

    @property
    def room(self) -> int:
        """Tokens of a row that are text or the sentence."""
        return self.length - len(self.before) - len(self.between) - 1


def sentences(text: str) -> list[str]:
    """``text`` cut after full stops, question marks and closing quotes that a capital letter follows."""
    return _END.split(text)


def gap_rows(
    articles: Sequence[Sequence[Ids]], layout: Layout, first: int, copied: float, rng: np.random.Generator
) -> NDArray[np.int64]:
    """All rows of ``articles``, shape (n, ``layout.length``), in order.

    Args:
        articles: Token ids of each sentence of each article.
        layout: Of the rows.
        first: The sentence with which the first row of each article begins; another one gives other rows.
        copied: In so large a share of the rows the sentence stays in the text.
        rng: Draws which.
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
    """Rows of ``articles`` in which a text begins again and again, also where the sentence would be.

    Shape (n, ``layout.length``), in order. Where it begins again differs from row to row: a model could learn
    a fixed distance instead of looking for what it has read.

    Args:
        articles: Token ids of each sentence of each article.
        layout: Of the rows.
        first: The sentence of each article with which its first row begins.
        rng: Draws the length of each text, `SHORTEST` to half a row.
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
    """The article in runs of sentences, each with ``room`` tokens or a few more; its tail is left out."""
    begin = tokens = 0
    for i, sentence in enumerate(article):
        tokens += len(sentence)
        if tokens >= room:
            yield article[begin : i + 1]
            begin, tokens = i + 1, 0


def _most_central(window: Sequence[Ids], room: int) -> int | None:
    """The sentence with the largest unigram F1 against the others, of those in view where they stay."""
    whole = Counter(t for sentence in window for t in sentence)
    total = whole.total()
    best, chosen, end = 0.0, None, 0
    for i, sentence in enumerate(window):
        end += len(sentence)
        if not SHORTEST <= len(sentence) <= LONGEST or end > room - len(sentence):
            continue
        own = Counter(sentence)
        shared = sum(min(n, whole[t] - n) for t, n in own.items())
        # Precision and recall have the shared tokens in common, so F1 is twice these over both lengths, whose
        # sum is the window's.
        if (f1 := 2 * shared / total) > best:
            best, chosen = f1, i
    return chosen
