"""Verifiers that know the truth of synthetic data, to compare with or to degrade with `noisy`."""

from typing import Annotated, Self

import numpy as np
from pydantic import Field, FiniteFloat
from typing_extensions import override

from ..errors import ConfigError
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Decision, Verdicts
from .base import Verifier

Numbers = Annotated[tuple[FiniteFloat, ...], Field(min_length=1)]


class HalfSpace(Verifier, frozen=True):
    """Accepts (x, label) iff the label is 1 where ``x^T weights + offset > 0``, and 0 elsewhere.

    Attributes:
        weights: Normal vector of the plane, p numbers.
        offset: Offset of the plane.
        x: Name of the column of points; None: the data's only vector.
        label: Name of the label column, 0 or 1; None: the data's only label.
    """

    weights: Numbers
    offset: FiniteFloat = 0.0
    x: str | None = None
    label: str | None = None

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = "verifier 'half_space'"
        x = schema.pick(me, "x", self.x, "vector")
        label = schema.pick(me, "label", self.label, "label")
        if schema[x].p != len(self.weights):
            raise ConfigError(
                f"{me}: weights",
                got=f"{len(self.weights)} numbers",
                expected=f"{schema[x].p}, as the data's column {x!r} has",
            )
        if schema[label].classes != 2:
            raise ConfigError(f"{me}: column {label!r}", got=f"{schema[label].classes} labels", expected="2")
        return super().suited_to(schema).model_copy(update={"x": x, "label": label})

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        x, label = samples.array(self.x or "point"), samples.array(self.label or "label")
        # Row by row, because the last bit of a matrix product depends on the number of rows.
        side = (x * np.array(self.weights)).sum(axis=1) + self.offset > 0
        yes = side == (label == 1)
        return Verdicts(yes.astype(float), np.where(yes, Decision.ACCEPT, Decision.REJECT))


class ScoreTable(Verifier, frozen=True):
    """Scores a sample by its category, with a known reward for each.

    Attributes:
        scores: Score of each value of the column, in order.
        column: Name of the category or label column; None: the data's only one.
        values: Values that the scores belong to; None: those in the data's schema.
    """

    scores: Numbers
    column: str | None = None
    values: tuple[str | int | float, ...] | None = None

    @property
    @override
    def only_scores(self) -> bool:
        return True

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = "verifier 'score_table'"
        column = schema.pick(me, "column", self.column, "category", "label")
        found = schema[column]
        values = tuple(found.values) if found.role == "category" else tuple(range(found.classes))
        if len(values) != len(self.scores):
            raise ConfigError(
                f"{me}: scores",
                got=f"{len(self.scores)} numbers",
                expected=f"{len(values)}, one for each value of {column!r}: {', '.join(map(str, values))}",
            )
        return super().suited_to(schema).model_copy(update={"column": column, "values": values})

    @override
    def verify(self, samples: Samples, rng: np.random.Generator) -> Verdicts:
        column = samples[self.column or "category"]
        table = dict(zip(self.values or range(len(self.scores)), self.scores, strict=True))
        known = [
            table.get(value) for value in (column.tolist() if isinstance(column, np.ndarray) else column)
        ]
        unknown = np.array([score is None for score in known], bool)
        score = np.array([np.nan if s is None else s for s in known], np.float64)
        reason = ["no score for this value" if lacks else "" for lacks in unknown]
        return Verdicts(score, np.where(unknown, Decision.ABSTAIN, Decision.OPEN), reason)
