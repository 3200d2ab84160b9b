"""ROUGE on held-out pairs: does the text say what a person said?"""

from typing import ClassVar, get_args

import numpy as np
from typing_extensions import override

from ..records import Estimate
from ..rouge import Measure, check_reference, f1, token_pairs
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import bootstrapped_mean
from .texts import written


class Rouge(Metric, frozen=True):
    """Mean F1 of shared words, word pairs and longest common subsequences with the reference.

    Texts are decoded greedily where the generator can. Standard errors and bootstrap intervals are those of
    the mean over the held-out pairs. The pairs are the same in every round and arm, so that differences are
    more exact than these.

    Cost: some tens of microseconds a pair, beside the decoding, which all metrics of text share.

    Attributes:
        column: The column that was written.
        reference: The column to compare it to.
        stem: Whether words are cut down to their stems first.
    """

    names: ClassVar[tuple[str, ...]] = get_args(Measure)

    column: str = "summary"
    reference: str = "reference"
    stem: bool = True

    @override
    def check_ahead(self, schema: Schema) -> None:
        check_reference(schema, self.reference)

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """``rouge1``, ``rouge2`` and ``rougeL``, between 0 and 1.

        Raises:
            DataError: A column is missing or holds no text.
            MissingExtraError: ``stem``, and nltk is not installed.
        """
        samples = written(evaluation, self.column)
        pairs = token_pairs(samples, self.column, self.reference, self.stem)
        return {
            measure: bootstrapped_mean(np.array([f1(measure, *pair) for pair in pairs], float), rng)
            for measure in get_args(Measure)
        }
