"""ROUGE: how much of a reference's wording a text shares (C.-Y. Lin, ACL workshop 2004).

The definitions are those of the package ``rouge-score``, which published results use, and the scores equal
its scores to the last bit. Counting is reimplemented, because that package builds a table for each pair and
stems each word every time; ``benchmarks/rouge.py`` measures the speed-up.

The published tokenizer knows only the letters a to z. Texts in other scripts are split into words by Unicode.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal

from .errors import DataError
from .extras import explained
from .samples import Samples

Measure = Literal["rouge1", "rouge2", "rougeL"]
"""Shared words, shared pairs of neighbouring words, or the longest common subsequence of words."""

SHORTEST_STEMMED = 4
"""Shortest word, in letters, that is stemmed, as in rouge-score's ``tokenize.py``."""

_WORD = re.compile(r"[a-z0-9]+")

_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua9e0-\ua9ff\uaa60-\uaa7f\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese are written without spaces between words."""

Tokenizer = Literal["auto", "published", "unicode"]
"""How words are found: as in rouge-score, by Unicode, or depending on the script of the reference."""


def tokens(text: str, stem: bool = True, tokenizer: Tokenizer = "auto") -> list[str]:
    """Return the words of ``text``.

    ``published``: runs of a-z and 0-9 in lower case, so other scripts have no words. ``unicode``: runs of
    letters, digits and their marks in any script, and single characters in scripts without spaces.
    ``auto``: see `tokenizer_for`.

    Args:
        text: Text to split.
        stem: Whether to reduce words of a-z to their stem with Porter's algorithm.
        tokenizer: How words are found.

    Raises:
        MissingExtraError: ``stem`` is set and nltk is not installed.
    """
    if tokenizer == "auto":
        tokenizer = tokenizer_for(text)
    words = _WORD.findall(text.lower()) if tokenizer == "published" else _unicode_words(text)
    return [_stem(word) if word.isascii() else word for word in words] if stem else words


def tokenizer_for(text: str) -> Literal["published", "unicode"]:
    """Return ``published`` if it finds at least half of the letters and digits of ``text``, else ``unicode``.

    So neither an accent in an English text nor a number in a Chinese text changes the choice.
    """
    if text.isascii():
        return "published"
    lower = text.lower()
    found = sum(map(len, _WORD.findall(lower)))
    return "published" if 2 * found >= sum(map(str.isalnum, lower)) else "unicode"


def _unicode_words(text: str) -> list[str]:
    words: list[str] = []
    inside = False
    for c in unicodedata.normalize("NFKC", text).casefold():
        if unicodedata.category(c)[0] == "M":  # an accent or a vowel sign belongs to the letter before it
            if inside:
                words[-1] += c
        elif not c.isalnum():
            inside = False
        elif inside and not _UNSPACED.match(c) and not _UNSPACED.match(words[-1]):
            words[-1] += c
        else:
            words.append(c)
            inside = True
    return words


def check_reference(columns: Collection[str], reference: str) -> None:
    """Refuse samples whose ``columns`` do not include ``reference``.

    Raises:
        DataError: There is no such column.
    """
    if reference not in columns:
        raise DataError(
            f"nothing to compare texts with: there is no column {reference!r}",
            fix="set the data's columns.reference to the column with the expected texts",
        )


LOOKED_AT = 10_000
"""Number of references that are checked for tokens."""


def check_tokens(samples: Samples, reference: str, tokenizer: Tokenizer) -> None:
    """Refuse references if most have no token, because every text would then score 0.

    Raises:
        DataError: Most references have no token, or the column does not hold text.
    """
    texts = samples.texts(reference)[:LOOKED_AT]
    without = [text for text in texts if not tokens(text, stem=False, tokenizer=tokenizer)]
    if 2 * len(without) > len(texts):
        published = tokenizer == "published"
        raise DataError(
            f"{len(without):,} of {len(texts):,} references in the column {reference!r} have no tokens",
            got=without[0] if len(without[0]) <= 80 else f"{without[0][:77]}...",
            expected="letters a to z or digits" if published else "letters or digits",
            fix="set tokenizer to unicode, or leave it out" if published else "choose another column",
        )


def token_pairs(
    samples: Samples, written: str, reference: str, stem: bool, tokenizer: Tokenizer = "auto"
) -> list[tuple[list[str], list[str]]]:
    """Return the `tokens` of the columns ``written`` and ``reference``, side by side.

    Raises:
        DataError: A column is missing or does not hold text.
        MissingExtraError: ``stem`` is set and nltk is not installed.
    """
    check_reference(list(samples), reference)
    pairs = []
    for text, wanted in zip(samples.texts(written), samples.texts(reference), strict=True):
        # Chosen by the reference alone, because a score must not depend on other pairs.
        way = tokenizer_for(wanted) if tokenizer == "auto" else tokenizer
        pairs.append((tokens(text, stem, way), tokens(wanted, stem, way)))
    return pairs


def f1(measure: Measure, written: Sequence[str], reference: Sequence[str]) -> float:
    """Return the harmonic mean of precision and recall, 0 to 1; both arguments are `tokens`."""
    if measure == "rougeL":
        shared, made, wanted = _longest_common(written, reference), len(written), len(reference)
    else:
        n = int(measure[-1])
        shared = (_grams(written, n) & _grams(reference, n)).total()
        made, wanted = (max(len(t) - n + 1, 0) for t in (written, reference))
    if shared == 0:
        return 0.0
    precision, recall = shared / made, shared / wanted
    return 2 * precision * recall / (precision + recall)


def _grams(words: Sequence[str], n: int) -> Counter:
    return Counter(words if n == 1 else pairwise(words))


def _longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, one table row at a time as bits of an integer.

    (H. Hyyrö, Bit-parallel LCS-length computation revisited, 2004.) Bit i of ``row`` is 0 where the
    table grows from ``a[:i]`` to ``a[:i + 1]``.
    """
    where: dict[str, int] = {}
    for i, word in enumerate(a):
        where[word] = where.get(word, 0) | 1 << i
    whole = (1 << len(a)) - 1
    row = whole
    for word in b:
        match = row & where.get(word, 0)
        row = ((row + match) | (row - match)) & whole
    return len(a) - row.bit_count()


@lru_cache(maxsize=2**18)
def _stem(word: str) -> str:
    return _porter()(word) if len(word) >= SHORTEST_STEMMED else word


@cache
def _porter() -> Callable[[str], str]:
    with explained():
        from nltk.stem.porter import PorterStemmer

    return PorterStemmer().stem
