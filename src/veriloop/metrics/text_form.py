"""The form of texts: their length, and the shares that are empty, copied or cut."""

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
"""Least number of words in a copy; shorter runs, such as names and idioms, may well repeat."""


class TextForm(Metric, frozen=True):
    """Mean length, and the shares of empty, copied and truncated texts.

    ``length`` counts words. ``empty`` is the share of texts without a word. ``copied`` is the share of texts
    of which more than half is verbatim in the source: one run of more than half of the text's words, and of
    at least 4, occurs in the source, ignoring case and punctuation.

    ``truncated`` is the share of drawn texts that were cut at the length limit, if the generator notes it.
    Standard errors are those of means over the held-out prompts.

    Cost: less than a millisecond per text, plus the decoding, which all text metrics share.

    Attributes:
        column: Name of the written column; the data's completion when None.
        greedy: Whether to judge the greedy text of each prompt instead of the one that is drawn and shown.
        source: Name of the column that may be copied; the data's prompt when None.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "length": Quantity("Length", low=0, unit="words", meaning="Number of words in a text."),
        "empty": Quantity(
            "Empty texts", better="lower", low=0, high=1, meaning="Share of texts without a word."
        ),
        "copied": Quantity(
            "Copied texts",
            low=0,
            high=1,
            meaning="Share of texts of which more than half is in the source, in one piece.",
        ),
        "truncated": Quantity(
            "Cut texts",
            low=0,
            high=1,
            meaning="Share of texts that reached the length limit and have no end.",
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
        """Return ``length`` in words, and ``empty``, ``copied`` and ``truncated`` between 0 and 1.

        Raises:
            DataError: A column is missing or does not hold text.
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
    """Whether more than half of ``text``, and at least `SHORTEST_COPY` words, is one run in ``source``."""
    run = max(len(text) // 2 + 1, SHORTEST_COPY)
    # Words contain no spaces, so with a space on each side a match starts and ends at word boundaries.
    whole = f" {' '.join(source)} "
    return any(f" {' '.join(text[i : i + run])} " in whole for i in range(len(text) - run + 1))
