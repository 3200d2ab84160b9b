"""Verifiers that know the truth of synthetic data: to be made worse with `noisy`, and to compare with."""

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
        weights: Of the plane, p numbers.
        offset: Of the plane.
        x: The column of the points; None: the data's only vector.
        label: The column of the labels, 0 or 1; None: the data's only label.
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
        # Row by row and not by a matrix product, whose last bit depends on how many rows there are.
        side = (x * np.array(self.weights)).sum(axis=1) + self.offset > 0
        yes = side == (label == 1)
        return Verdicts(yes.astype(float), np.where(yes, Decision.ACCEPT, Decision.REJECT))


class ScoreTable(Verifier, frozen=True):
    """Scores a sample by its category: a reward that is known for each.

    Attributes:
        scores: Of the column's values, in their order.
        column: The category or label; None: the data's only one.
        values: What the scores belong to; None: the column's values, as the data's schema has them.
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
