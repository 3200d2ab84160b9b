"""ROUGE on held-out pairs: how close is the text to a person's?"""

from collections.abc import Mapping
from typing import ClassVar, Self, get_args

import numpy as np
from typing_extensions import override

from ..quantity import Quantity
from ..records import Estimate
from ..rouge import Measure, Tokenizer, check_tokens, f1, token_pairs
from ..samples import Samples
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import bootstrapped_mean
from .texts import column_of, written

FIRST = 32
"""Number of words of each text that count for ``rouge1_at_32``."""


class Rouge(Metric, frozen=True):
    """Mean F1 of shared words, word pairs and longest common subsequences with the reference.

    ``rouge1_at_32`` is ROUGE-1 of the first 32 words of each text and reference. A model that writes too much
    loses ROUGE by length alone, and gains when it learns to stop; this number is not affected.

    Standard errors and bootstrap intervals are those of the mean over the held-out pairs. The pairs are the
    same in every round and arm, so differences are more precise than these.

    Cost: tens of microseconds per pair, plus the decoding, which all text metrics share.

    Attributes:
        column: Name of the written column; the data's completion when None.
        reference: Name of the column to compare with; the data's reference when None.
        greedy: Whether to judge the greedy text of each prompt instead of the one that is drawn and shown.
        stem: Whether to reduce words to their stems first.
        tokenizer: How words are found: ``published`` as in rouge-score, with the letters a to z only;
            ``unicode`` in any script; ``auto`` the published way if the reference allows it.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "rouge1": Quantity(
            "ROUGE-1",
            better="higher",
            low=0,
            high=1,
            meaning="Words that the texts share with the references (F1).",
        ),
        "rouge2": Quantity(
            "ROUGE-2",
            better="higher",
            low=0,
            high=1,
            meaning="Pairs of neighbouring words that they share with the references (F1).",
        ),
        "rougeL": Quantity(
            "ROUGE-L",
            better="higher",
            low=0,
            high=1,
            meaning="Longest common sequence of words, with gaps, with the references (F1).",
        ),
        "rouge1_at_32": Quantity(
            "ROUGE-1 at 32 words",
            better="higher",
            low=0,
            high=1,
            meaning="ROUGE-1 of the first 32 words of each text and reference: no gain by length alone.",
        ),
    }

    column: str | None = None
    reference: str | None = None
    greedy: bool = False
    stem: bool = True
    tokenizer: Tokenizer = "auto"

    @override
    def suited_to(self, schema: Schema) -> Self:
        super().suited_to(schema)
        column = column_of(schema, self.column, "completion", "metric 'rouge'")
        reference = column_of(schema, self.reference, "reference", "metric 'rouge'")
        return self.model_copy(update={"column": column, "reference": reference})

    @override
    def check_data(self, real: Samples) -> None:
        """Check that the references have words.

        Raises:
            DataError: Most have none.
        """
        if (reference := self.reference or "reference") in real:
            check_tokens(real, reference, self.tokenizer)

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return ``rouge1``, ``rouge2``, ``rougeL`` and ``rouge1_at_32``, between 0 and 1.

        Raises:
            DataError: A column is missing or does not hold text.
            MissingExtraError: ``stem`` is set and nltk is not installed.
        """
        column, reference = self.column or "completion", self.reference or "reference"
        pairs = token_pairs(
            written(evaluation, column, self.greedy), column, reference, self.stem, self.tokenizer
        )
        found = {measure: [f1(measure, *pair) for pair in pairs] for measure in get_args(Measure)}
        found["rouge1_at_32"] = [f1("rouge1", text[:FIRST], ref[:FIRST]) for text, ref in pairs]
        return {name: bootstrapped_mean(np.array(scores, float), rng) for name, scores in found.items()}
