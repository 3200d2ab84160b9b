"""ROUGE on held-out pairs: does the text say what a person said?"""

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
"""So many words of each text count for ``rouge1_at_32``."""


class Rouge(Metric, frozen=True):
    """Mean F1 of shared words, word pairs and longest common subsequences with the reference.

    ``rouge1_at_32`` is ROUGE-1 of the first 32 words of each text and reference. A model that writes too much
    loses ROUGE by its length alone, and gains when it learns to stop; this number gains nothing by that.

    Standard errors and bootstrap intervals are those of
    the mean over the held-out pairs. The pairs are the same in every round and arm, so that differences are
    more exact than these.

    Cost: some tens of microseconds a pair, beside the decoding, which all metrics of text share.

    Attributes:
        column: The column that was written; the data's completion when None.
        reference: The column to compare it to; the data's reference when None.
        greedy: Whether to judge the likeliest text of each prompt, and not the one that is drawn and shown.
        stem: Whether words are cut down to their stems first.
        tokenizer: How words are found: ``published`` as rouge-score does, in the letters a to z only;
            ``unicode`` in any script; ``auto`` the published way where the reference allows it.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "rouge1": Quantity(
            "ROUGE-1",
            better="higher",
            low=0,
            high=1,
            meaning="How many words the texts share with the references (F1).",
        ),
        "rouge2": Quantity(
            "ROUGE-2",
            better="higher",
            low=0,
            high=1,
            meaning="How many pairs of neighbouring words they share with the references (F1).",
        ),
        "rougeL": Quantity(
            "ROUGE-L",
            better="higher",
            low=0,
            high=1,
            meaning="The longest sequence of words, with gaps, in common with the references (F1).",
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
        """Look whether the references have words.

        Raises:
            DataError: Most have none.
        """
        if (reference := self.reference or "reference") in real:
            check_tokens(real, reference, self.tokenizer)

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """``rouge1``, ``rouge2``, ``rougeL`` and ``rouge1_at_32``, between 0 and 1.

        Raises:
            DataError: A column is missing or holds no text.
            MissingExtraError: ``stem``, and nltk is not installed.
        """
        column, reference = self.column or "completion", self.reference or "reference"
        pairs = token_pairs(
            written(evaluation, column, self.greedy), column, reference, self.stem, self.tokenizer
        )
        found = {measure: [f1(measure, *pair) for pair in pairs] for measure in get_args(Measure)}
        found["rouge1_at_32"] = [f1("rouge1", text[:FIRST], ref[:FIRST]) for text, ref in pairs]
        return {name: bootstrapped_mean(np.array(scores, float), rng) for name, scores in found.items()}
