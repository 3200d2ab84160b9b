"""A reference as verifier: the text that resembles a person's most is the best."""

import numpy as np
from typing_extensions import override

from ..rouge import Measure, check_reference, f1, token_pairs
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Verdicts
from .base import Verifier


class ReferenceOverlap(Verifier, frozen=True):
    """Scores a text by its ROUGE F1 against the reference beside it.

    The oracle of the paper's language-model experiment (arXiv 2510.16657, section 5). A text without words
    scores 0. Costs some tens of microseconds a pair; ``parallel: chunks`` spreads it
    over the workers of the run's executor, together with generation.

    Attributes:
        measure: Which ROUGE.
        column: The column that was written.
        reference: The column to compare it to.
        stem: Whether words are cut down to their stems first.
    """

    measure: Measure = "rouge1"
    column: str = "summary"
    reference: str = "reference"
    stem: bool = True

    @override
    def check_ahead(self, schema: Schema) -> None:
        check_reference(schema, self.reference)

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        """Score each text; the decision is left open.

        Raises:
            DataError: A column is missing or holds no text.
            MissingExtraError: ``stem``, and nltk is not installed.
        """
        pairs = token_pairs(samples, self.column, self.reference, self.stem)
        return Verdicts([f1(self.measure, *pair) for pair in pairs])
