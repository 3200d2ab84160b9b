"""The form of texts: how long they are, and how many are no texts of the model's own."""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import mean
from .texts import column_of, said, words, written

SHORTEST_COPY = 4
"""A shorter run of words is no copy: names and idioms stand in both texts by right."""


class TextForm(Metric, frozen=True):
    """Mean length, and the shares of empty, copied and truncated texts.

    ``length`` counts words. ``empty`` is the share of texts without a word. ``copied`` is the share of texts
    of which more than half stands in the source verbatim: one run of more than half of the text's words, and
    of at least 4, occurs in the source, but for case and punctuation.

    ``truncated`` is the share of drawn texts that were cut at their greatest length, where the generator
    notes that. Standard errors are those of means over the held-out prompts.

    Cost: below a millisecond a text, beside the decoding, which all metrics of text share.

    Attributes:
        column: The column that was written; the data's completion when None.
        greedy: Whether to judge the likeliest text of each prompt, and not the one that is drawn and shown.
        source: The column that it could be copied from; the data's prompt when None.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "length": Quantity("Length", low=0, unit="words", meaning="How many words a text has."),
        "empty": Quantity(
            "Empty texts", better="lower", low=0, high=1, meaning="The share of texts without a word."
        ),
        "copied": Quantity(
            "Copied texts",
            low=0,
            high=1,
            meaning="The share of texts of which more than half stands in the source, in one piece.",
        ),
        "truncated": Quantity(
            "Cut texts",
            low=0,
            high=1,
            meaning="The share of texts that reached their greatest length, and have no end.",
        ),
    }

    greedy: bool = False
    column: str | None = None
    source: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        super().suited_to(schema)
        column = column_of(schema, self.column, "completion", "metric 'text_form'")
        source = column_of(schema, self.source, "prompt", "metric 'text_form'")
        return self.model_copy(update={"column": column, "source": source})

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """``length`` in words, ``empty``, ``copied`` and ``truncated`` between 0 and 1.

        Raises:
            DataError: A column is missing or holds no text.
        """
        column = self.column or "completion"
        samples = written(evaluation, column, self.greedy)
        texts = [words(text) for text in samples.texts(column)]
        sources = [words(text) for text in said(samples, self.source or "prompt")]
        length = np.array([len(text) for text in texts], float)
        copied = [is_copied(text, source) for text, source in zip(texts, sources, strict=True)]
        cut = evaluation.cut
        return {
            "length": mean(length),
            "empty": mean(length == 0),
            "copied": mean(np.array(copied, bool)),
            "truncated": Estimate(np.nan, np.nan) if cut is None else mean(cut),
        }


def is_copied(text: list[str], source: list[str]) -> bool:
    """Whether more than half of ``text``, and `SHORTEST_COPY` words at least, is one run in ``source``."""
    run = max(len(text) // 2 + 1, SHORTEST_COPY)
    # Words hold no space, so with one on either side a match begins and ends where words do.
    whole = f" {' '.join(source)} "
    return any(f" {' '.join(text[i : i + run])} " in whole for i in range(len(text) - run + 1))
