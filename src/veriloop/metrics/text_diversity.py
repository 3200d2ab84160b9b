"""Diversity of texts: do they differ from each other, or is it one sentence over and over?"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import jackknife_blocks, of_jackknife
from .texts import column_of, words, written

BLOCKS = 20
"""Of the jackknife, as many as there are texts at most."""


class TextDiversity(Metric, frozen=True):
    """How many different words and word pairs all texts together use, and how evenly.

    ``distinct1`` and ``distinct2`` are the shares of different words, and of different pairs of neighbouring
    words, among all of them (J. Li et al., NAACL 2016). ``bigram_entropy`` is the entropy, in bits, of how
    often each pair occurs. All three depend on how many texts are measured and how long they are, so compare
    like with like: the rounds of a run, at a ``length`` that stays.

    Texts are decoded greedily where the generator can. Standard errors are by delete-a-block jackknife over
    the texts.

    Cost: some milliseconds, beside the decoding, which all metrics of text share.

    Attributes:
        column: The column that was written; the data's completion when None.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "distinct1": Quantity(
            "Distinct-1",
            better="higher",
            low=0,
            high=1,
            meaning="The share of different words among all words written.",
        ),
        "distinct2": Quantity(
            "Distinct-2",
            better="higher",
            low=0,
            high=1,
            meaning="The share of different word pairs among all written.",
        ),
        "bigram_entropy": Quantity(
            "Bigram entropy",
            better="higher",
            low=0,
            unit="bits",
            meaning="How evenly the word pairs that are written are used.",
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
        """The shares, between 0 and 1, and the entropy; NaN where there are no words, or no pairs.

        Raises:
            DataError: The column is missing or holds no text.
        """
        column = self.column or "completion"
        texts = [words(text) for text in written(evaluation, column).texts(column)]
        one = np.zeros(len(texts), np.int64)
        block = jackknife_blocks(one, max(min(BLOCKS, len(texts)), 1), rng)
        single = _by_block(texts, block)
        double = _by_block([list(pairwise(text)) for text in texts], block)
        return {
            "distinct1": _estimate(_distinct, single),
            "distinct2": _estimate(_distinct, double),
            "bigram_entropy": _estimate(_entropy, double),
        }


def _by_block(texts: Iterable[list], block: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each kind of gram occurs in each block, shape (blocks, kinds)."""
    number: dict[object, int] = {}
    where = [
        (b, number.setdefault(gram, len(number)))
        for b, text in zip(block, texts, strict=True)
        for gram in text
    ]
    counts = np.zeros((int(block.max(initial=0)) + 1, len(number)), np.int64)
    if where:
        np.add.at(counts, tuple(np.array(where).T), 1)
    return counts


def _estimate(statistic, by_block: NDArray[np.int64]) -> Estimate:
    total = by_block.sum(axis=0, keepdims=True)
    left_out = statistic(total - by_block)
    error = of_jackknife(left_out) if len(left_out) > 1 else np.nan
    return Estimate(float(statistic(total)[0]), float(error))


def _distinct(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts.sum(axis=1)
    return np.divide((counts > 0).sum(axis=1), total, out=np.full(len(counts), np.nan), where=total > 0)


def _entropy(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, total, out=np.ones(counts.shape), where=counts > 0)
    return np.where(total[:, 0] > 0, -(share * np.log2(share)).sum(axis=1), np.nan)
