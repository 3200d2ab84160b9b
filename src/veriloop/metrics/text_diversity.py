"""Diversity of texts: do they differ, or repeat the same sentence?"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import by_row, of_blocks, of_jackknife
from .texts import column_of, words


class TextDiversity(Metric, frozen=True):
    """The number of different words and word pairs in all texts together, and how evenly they are used.

    ``distinct1`` and ``distinct2`` are the shares of different words, and of different pairs of neighbouring
    words, among all of them (J. Li et al., NAACL 2016). ``bigram_entropy`` is the entropy, in bits, of the
    frequencies of pairs. All three depend on the number and length of texts, so compare only similar ones:
    the rounds of a run, with a stable ``length``.

    Texts are drawn, not greedy: greedy texts are more alike than what a model writes. Standard errors and
    rows come from a jackknife that leaves out one text at a time.

    Cost: some milliseconds, plus the decoding, which all text metrics share.

    Attributes:
        column: Name of the written column; the data's completion when None.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "distinct1": Quantity(
            "Distinct-1",
            watch_falls=True,
            better="higher",
            low=0,
            high=1,
            meaning="Share of different words among all words written.",
        ),
        "distinct2": Quantity(
            "Distinct-2",
            watch_falls=True,
            better="higher",
            low=0,
            high=1,
            meaning="Share of different word pairs among all written.",
        ),
        "bigram_entropy": Quantity(
            "Bigram entropy",
            watch_falls=True,
            better="higher",
            low=0,
            unit="bits",
            meaning="How evenly the written word pairs are used.",
        ),
    }

    column: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        super().suited_to(schema)
        column = column_of(schema, self.column, "completion", "metric 'text_diversity'")
        return self.model_copy(update={"column": column})

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return the shares, between 0 and 1, and the entropy; NaN if there are no words, or no pairs.

        Raises:
            DataError: The column is missing or does not hold text.
        """
        column = self.column or "completion"
        texts = [words(text) for text in evaluation.generated.texts(column)]
        single, double = _counts(texts), _counts([list(pairwise(text)) for text in texts])
        return {
            "distinct1": _estimate(*_distinct(single)),
            "distinct2": _estimate(*_distinct(double)),
            "bigram_entropy": _estimate(*_entropy(double)),
        }


class _Counts(NamedTuple):
    """How often grams occur: one entry for each pair of a text and a kind of gram in it.

    Attributes:
        text: Text of each entry, shape (entries,).
        gram: Kind of gram of each entry, shape (entries,).
        here: Number of occurrences in the text, shape (entries,).
        everywhere: Number of occurrences in all texts, shape (kinds,).
        texts: Number of texts.
    """

    text: NDArray[np.int64]
    gram: NDArray[np.int64]
    here: NDArray[np.int64]
    everywhere: NDArray[np.int64]
    texts: int

    def left(self, whole: NDArray[np.float64], part: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a sum over kinds of grams, of all texts and without each; an entry removes its ``part``."""
        taken = np.bincount(self.text, part, minlength=self.texts)
        return whole.sum() - np.concatenate([[0.0], taken])


def _counts(texts: Sequence[Sequence[object]]) -> _Counts:
    number: dict[object, int] = {}
    where = [(i, number.setdefault(gram, len(number))) for i, text in enumerate(texts) for gram in text]
    both = np.array(where, np.int64).reshape(-1, 2)
    pairs, here = np.unique(both, axis=0, return_counts=True)
    everywhere = np.bincount(both[:, 1], minlength=len(number))
    return _Counts(pairs[:, 0], pairs[:, 1], here, everywhere, len(texts))


def _estimate(value: float, left_out: NDArray[np.float64]) -> Estimate:
    """Return the number with each text's contribution; ``left_out`` has it without each text."""
    # A text that contains all the words cannot be left out.
    if len(left_out) < 2 or not np.isfinite(left_out).all():
        return Estimate(value, np.nan)
    return by_row(value, float(of_jackknife(left_out)), of_blocks(left_out))


def _distinct(counts: _Counts) -> tuple[float, NDArray[np.float64]]:
    """Return the share of different grams, of all texts and without each; NaN if there are none."""
    alone = counts.here == counts.everywhere[counts.gram]
    kinds = counts.left(np.ones(len(counts.everywhere)), alone.astype(float))
    total = counts.left(counts.everywhere.astype(float), counts.here.astype(float))
    share = np.divide(kinds, total, out=np.full(len(total), np.nan), where=total > 0)
    return float(share[0]), share[1:]


def _entropy(counts: _Counts) -> tuple[float, NDArray[np.float64]]:
    """Return log2 T - sum_g c_g log2 c_g / T for gram counts c, of all texts and without each."""
    everywhere, here = counts.everywhere.astype(float), counts.here.astype(float)
    rest = everywhere[counts.gram] - here
    terms = everywhere * np.log(everywhere)
    taken = terms[counts.gram] - rest * np.log(np.maximum(rest, 1))
    total = counts.left(everywhere, here)
    there = np.where(total > 0, total, np.nan)
    bits = (np.log(there) - counts.left(terms, taken) / there) / np.log(2)
    entropy = np.maximum(bits, 0.0)  # rounding may give negative values
    return float(entropy[0]), entropy[1:]
