"""A function of the user's own as metric: how often is the model right?"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np
from typing_extensions import override

from ..functions.call import Call
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import mean
from .texts import written


class FunctionMean(Metric, Call, frozen=True):
    """The share of texts for held-out prompts that a function accepts, or the mean of its scores.

    The function may be the one that is the verifier. Texts on which it abstains are left out of the mean, and
    counted. Texts are decoded greedily where the generator can. Standard errors are those of means over the
    held-out prompts.

    Cost: the function's, for each held-out prompt, beside the decoding, which all metrics of text share.

    Attributes:
        column: The column that was written.

    The other fields are those of `veriloop.functions.call.Call`.
    """

    names: ClassVar[tuple[str, ...]] = ("check", "check_abstained")

    column: str = "summary"

    @override
    def check_ahead(self, schema: Schema) -> None:
        self.check_call(schema)

    @override
    def sources(self) -> Mapping[str, Path]:
        return self.source()

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """``check``, in which True counts 1 and False 0, and ``check_abstained``, between 0 and 1.

        Raises:
            ConfigError: The function cannot be imported.
            DataError: A column of ``columns`` is missing.
        """
        said = self.answers(written(evaluation, self.column))
        score = np.array([score for score, _, _ in said], float)
        abstained = np.isnan(score)
        return {"check": mean(score[~abstained]), "check_abstained": mean(abstained)}
