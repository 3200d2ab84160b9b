"""The results of a check for each text as one number: the share accepted, or the mean score."""

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

    Texts with an abstention are left out of the mean, and counted. Standard errors are those of means over
    the held-out prompts.

    With ``pass_at`` it also draws several texts for each held-out prompt, and measures how many prompts are
    solved in k tries: `veriloop.metrics.pass_at.PassAt`.

    Attributes:
        name: Name of the number. Two functions in one plan need two names.
        better: Better direction of the number: ``higher``, ``lower``, ``{near: 1.0}``, or null.
        greedy: Whether to judge the greedy text of each prompt instead of the one that is drawn and shown.
        column: Name of the written column; the data's completion when None.
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
        """Return the names of the functions whose scores are summed; empty for a single function."""
        return ()

    @property
    def quantities(self) -> Mapping[str, Quantity]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The number itself, the share of abstentions, and the mean score of each function."""
        title = self.title
        found = {
            self.name: Quantity(
                title,
                better=self.better,
                meaning=f"Share of texts that {self.judged_by} accepts, or its mean score.",
            ),
            f"{self.name}_abstained": Quantity(
                "Not checked" if self.name == "check" else f"{title}, not checked",
                better="lower",
                low=0,
                high=1,
                meaning=f"Share of texts on which {self.judged_by} abstains.",
            ),
        }
        for part in self.parts:
            meaning = f"Mean score of {part} alone, over the texts to which it applies."
            found[f"{self.name}_{part}"] = Quantity(f"{title}: {part}", better=None, meaning=meaning)
        return found | self.pass_quantities(self._prefix)

    @property
    @override
    def draws_again(self) -> bool:
        return self.texts_for_each > 1

    @property
    def _prefix(self) -> str:
        """Prefix of the names of pass@k: empty, unless the metric has another name than usual."""
        return "" if self.name == type(self).model_fields["name"].default else f"{self.name}_"

    @property
    def title(self) -> str:
        """Title of its number."""
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
        """Return the number, with True as 1 and False as 0, and the other `quantities`.

        Raises:
            ConfigError: The function cannot be imported.
            DataError: A required column is missing.
        """
        column = self.column or "completion"
        said = self.said(written(evaluation, column, self.greedy))
        score = np.array([score for score, _, _ in said.answers], float)
        number, abstained = _of_answers(score)
        parts = {f"{self.name}_{name}": _of_answers(np.array(s, float))[0] for name, s in said.parts.items()}
        passes = self.measure_pass(evaluation, column, self._prefix, accepted_by(self, self.solved_at), rng)
        return {self.name: number, f"{self.name}_abstained": abstained, **parts, **passes}


def _of_answers(score: np.ndarray) -> tuple[Estimate, Estimate]:
    """Return the mean over existing scores, and the share of missing ones."""
    abstained = np.isnan(score)
    of_answers, share = mean(score[~abstained]), mean(abstained)
    # A mean over answered rows is a ratio: a row without an answer adds nothing.
    off = np.where(abstained, 0.0, score - of_answers.value) / max(1 - share.value, np.finfo(float).tiny)
    return by_row(of_answers.value, of_answers.se, off), share
