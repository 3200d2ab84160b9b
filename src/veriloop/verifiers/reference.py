"""A reference as verifier: the closer a text is to the reference, the better."""

from typing import Self

import numpy as np
from typing_extensions import override

from ..rouge import Measure, Tokenizer, check_tokens, f1, token_pairs
from ..samples import Samples
from ..schema import ANY_TEXT, Schema
from ..verdicts import Verdicts
from .base import Verifier


class ReferenceOverlap(Verifier, frozen=True):
    """Scores a text by its ROUGE F1 against the reference of its row.

    The oracle of the paper's language-model experiment (arXiv 2510.16657, section 5). A text without words
    scores 0. It takes tens of microseconds per pair; ``parallel: chunks`` distributes it over the workers of
    the run's executor, together with generation.

    Attributes:
        measure: Variant of ROUGE.
        column: Name of the written text's column; None for the data's completion.
        reference: Name of the column to compare with; None for the data's reference.
        stem: Whether to reduce words to their stems first.
        tokenizer: How words are found: ``published`` as in rouge-score, with the letters a to z only;
            ``unicode`` in any script; ``auto`` the published way if the reference allows it.
    """

    measure: Measure = "rouge1"
    column: str | None = None
    reference: str | None = None
    stem: bool = True
    tokenizer: Tokenizer = "auto"

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @property
    @override
    def in_pieces(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = f"verifier {self.kind!r}"
        filled = {
            "column": schema.pick(me, "column", self.column, "completion", also=ANY_TEXT),
            "reference": schema.pick(me, "reference", self.reference, "reference", also=ANY_TEXT),
        }
        return super().suited_to(schema).model_copy(update=filled)

    @override
    def check_data(self, real: Samples) -> None:
        """Check that the references have words.

        Raises:
            DataError: Most have none.
        """
        if (reference := self.reference or "reference") in real:
            check_tokens(real, reference, self.tokenizer)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Score each text; the decision is left open.

        Raises:
            DataError: A column is missing or does not hold text.
            MissingExtraError: ``stem`` is set and nltk is not installed.
        """
        written, reference = self.column or "completion", self.reference or "reference"
        pairs = token_pairs(samples, written, reference, self.stem, self.tokenizer)
        return Verdicts([f1(self.measure, *pair) for pair in pairs])
