"""A function of the user's own as metric: how often is the model right?"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import StringConstraints
from typing_extensions import override

from ..functions.call import Call
from ..quantity import Better, Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import by_row, mean
from .texts import column_of, written


class FunctionMean(Metric, Call, frozen=True):
    """The share of texts for held-out prompts that a function accepts, or the mean of its scores.

    The function may be the one that is the verifier. Texts on which it abstains are left out of the mean, and
    counted. Standard errors are those of means over the held-out prompts.

    Cost: the function's, for each held-out prompt, beside the decoding, which all metrics of text share.

    Attributes:
        name: What its number is called. Two functions in one plan need two names.
        better: Which way the number is better: ``higher``, ``lower``, ``{near: 1.0}``, or null.
        greedy: Whether to judge the likeliest text of each prompt, and not the one that is drawn and shown.
        column: The column that was written; the data's completion when None.

    The other fields are those of `veriloop.functions.call.Call`.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$", max_length=60)] = "check"
    better: Better = "higher"
    greedy: bool = False
    column: str | None = None

    @property
    def quantities(self) -> Mapping[str, Quantity]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The function's own number, and the share on which it could not tell."""
        function = self.function.partition(":")[2]
        title = "Your own check" if self.name == "check" else self.name.replace("_", " ")
        return {
            self.name: Quantity(
                title,
                better=self.better,
                meaning=f"The share of texts that your function {function} accepts, or its mean score.",
            ),
            f"{self.name}_abstained": Quantity(
                "Not checked" if self.name == "check" else f"{title}, not checked",
                better="lower",
                low=0,
                high=1,
                meaning=f"The share of texts on which your function {function} could not tell.",
            ),
        }

    @override
    def suited_to(self, schema: Schema) -> Self:
        super().suited_to(schema)
        if self.column is None and not schema.named("completion"):
            return self  # A function may look at any samples; only texts can be decoded greedily.
        column = column_of(schema, self.column, "completion", "metric 'function'")
        return self.model_copy(update={"column": column})

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
        said = self.answers(written(evaluation, self.column or "completion", self.greedy))
        score = np.array([score for score, _, _ in said], float)
        abstained = np.isnan(score)
        of_answers, share = mean(score[~abstained]), mean(abstained)
        # A mean over those that were answered is a ratio: a row without an answer adds nothing.
        off = np.where(abstained, 0.0, score - of_answers.value) / max(1 - share.value, np.finfo(float).tiny)
        return {
            self.name: by_row(of_answers.value, of_answers.se, off),
            f"{self.name}_abstained": share,
        }
