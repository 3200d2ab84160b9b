"""What is said of each text as one number: the share that is accepted, or the mean score."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import StringConstraints
from typing_extensions import override

from ..functions.check import Check
from ..quantity import Better, Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric
from .pass_at import PassAt, accepted_by
from .standard_errors import by_row, mean
from .texts import column_of, written


class MeanOfAnswers(Metric, PassAt, Check, frozen=True):
    """The share of texts for held-out prompts that is accepted, or the mean of their scores.

    Texts on which nothing can be said are left out of the mean, and counted. Standard errors are those of
    means over the held-out prompts.

    With ``pass_at`` it draws several texts for each held-out prompt, too, and measures how many prompts
    are solved in k tries: `veriloop.metrics.pass_at.PassAt`.

    Attributes:
        name: What its number is called. Two functions in one plan need two names.
        better: Which way the number is better: ``higher``, ``lower``, ``{near: 1.0}``, or null.
        greedy: Whether to judge the likeliest text of each prompt, and not the one that is drawn and shown.
        column: The column that was written; the data's completion when None.
    """

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$", max_length=60)] = "check"
    better: Better = "higher"
    greedy: bool = False
    column: str | None = None

    @property
    @abstractmethod
    def judged_by(self) -> str:
        """What accepts the texts, in words: ``your function is_right``."""

    @property
    def parts(self) -> Sequence[str]:
        """The names of the functions whose scores are summed; none where there is one alone."""
        return ()

    @property
    def quantities(self) -> Mapping[str, Quantity]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The number itself, the share on which nothing was said, and each function's own mean score."""
        title = self.title
        found = {
            self.name: Quantity(
                title,
                better=self.better,
                meaning=f"The share of texts that {self.judged_by} accepts, or its mean score.",
            ),
            f"{self.name}_abstained": Quantity(
                "Not checked" if self.name == "check" else f"{title}, not checked",
                better="lower",
                low=0,
                high=1,
                meaning=f"The share of texts on which {self.judged_by} could not tell.",
            ),
        }
        for part in self.parts:
            meaning = f"The mean score of {part} alone, over the texts to which it applies."
            found[f"{self.name}_{part}"] = Quantity(f"{title}: {part}", better=None, meaning=meaning)
        return found | self.pass_quantities(self._prefix)

    @property
    @override
    def draws_again(self) -> bool:
        return self.texts_for_each > 1

    @property
    def _prefix(self) -> str:
        """Of the names of pass@k: none, unless the metric has another name than usual."""
        return "" if self.name == type(self).model_fields["name"].default else f"{self.name}_"

    @property
    def title(self) -> str:
        """Of its number."""
        return self.name.replace("_", " ")

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema).seeing(schema)
        if self.column is None and not schema.named("completion") and not self.pass_at:
            return suited  # A function may look at any samples; only texts can be decoded greedily.
        column = column_of(schema, self.column, "completion", f"metric {self.kind!r}")
        return suited.model_copy(update={"column": column})

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str]:
        return self.check_call(schema)

    @override
    def sources(self) -> Mapping[str, Path]:
        return self.source()

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """The number, in which True counts 1 and False 0, and what `quantities` names beside it.

        Raises:
            ConfigError: The function cannot be imported.
            DataError: A column that it needs is missing.
        """
        column = self.column or "completion"
        said = self.said(written(evaluation, column, self.greedy))
        score = np.array([score for score, _, _ in said.answers], float)
        number, abstained = _of_answers(score)
        parts = {f"{self.name}_{name}": _of_answers(np.array(s, float))[0] for name, s in said.parts.items()}
        passes = self.measure_pass(evaluation, column, self._prefix, accepted_by(self, self.solved_at), rng)
        return {self.name: number, f"{self.name}_abstained": abstained, **parts, **passes}


def _of_answers(score: np.ndarray) -> tuple[Estimate, Estimate]:
    """The mean over the scores that there are, and the share of those that there are not."""
    abstained = np.isnan(score)
    of_answers, share = mean(score[~abstained]), mean(abstained)
    # A mean over those that were answered is a ratio: a row without an answer adds nothing.
    off = np.where(abstained, 0.0, score - of_answers.value) / max(1 - share.value, np.finfo(float).tiny)
    return by_row(of_answers.value, of_answers.se, off), share
