"""Shares of a category's values in generated and real data: whether minorities survive."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..errors import ConfigError
from ..quantity import Quantity
from ..records import Estimate
from ..samples import Samples
from ..schema import Schema
from .base import Evaluation, Metric
from .standard_errors import by_row, mean

Value = str | int | float


class Shares(Metric, frozen=True):
    """The share of each value of a category, and three numbers over all values.

    ``share_distance`` is the total variation distance to the held-out shares (half the sum of differences),
    part of which is chance; ``share_entropy`` is the entropy of the generated shares; ``values_found`` counts
    the values that are generated at all. Standard errors come from influence values, and for ``values_found``
    from the chance that another draw would have missed a value. Rows are the generated ones, and for the
    distance also the held-out ones.

    Attributes:
        column: Name of a category or label column that models generate; None: the data's only one.
        values: Values of the column; None: those of the data's schema.
    """

    column: str | None = None
    values: tuple[Value, ...] | None = None

    @property
    def quantities(self) -> Mapping[str, Quantity]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Numbers over all values, and ``share_VALUE`` for each value once the data are known."""
        whole = {
            "share_distance": Quantity(
                "Distance of shares",
                better="lower",
                low=0,
                high=1,
                meaning="Share of generated rows that would have to change value to match the real shares.",
            ),
            "share_entropy": Quantity(
                "Entropy of shares",
                watch_falls=True,
                low=0,
                unit="nats",
                meaning="How evenly generated rows are distributed over values.",
            ),
            "values_found": Quantity(
                "Values found",
                better="higher",
                low=0,
                meaning="Number of different values that are generated.",
            ),
        }
        each = {
            f"share_{value}": Quantity(
                f"Share of {value}", low=0, high=1, meaning="Share of generated rows with this value."
            )
            for value in self.values or ()
        }
        return {**whole, **each}

    @override
    def suited_to(self, schema: Schema) -> Self:
        me = f"metric {self.kind!r}"
        column = schema.pick(me, "column", self.column, "category", "label")
        found = schema[column]
        if found.given:
            raise ConfigError(
                f"{me}: column {column!r}", got="given to the model", expected="a column that it generates"
            )
        values = tuple(found.values) if found.role == "category" else tuple(range(found.classes))
        return super().suited_to(schema).model_copy(update={"column": column, "values": values})

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        column = self.column or next(iter(evaluation.real))
        made, real = (_column(side, column) for side in (evaluation.generated, evaluation.real))
        values: list[Value] = list(self.values or sorted(set(real.tolist()), key=str))
        ours, theirs = (np.stack([side == v for v in values], axis=1) for side in (made, real))
        share, wanted, n = ours.mean(axis=0), theirs.mean(axis=0), len(made)
        sign = np.sign(share - wanted) / 2
        distance, of_made, of_real = float(np.abs(share - wanted).sum() / 2), ours @ sign, -(theirs @ sign)
        logs = np.log(np.where(share > 0, share, 1))
        missed = (1 - share) ** n
        each = {f"share_{v}": mean(ours[:, k]) for k, v in enumerate(values) if self.values}
        return {
            "share_distance": by_row(distance, _error(of_made, of_real), of_made, of_real),
            "share_entropy": by_row(
                float(max(0.0, -(share * logs).sum())), _error(-(ours @ logs)), -(ours @ logs)
            ),
            "values_found": Estimate(
                float(np.sum(share > 0)), float(np.sqrt((missed * (1 - missed))[share > 0].sum()))
            ),
            **each,
        }


def _column(samples: Samples, name: str) -> NDArray[Any]:
    return np.asarray(samples[name])


def _error(*influences: NDArray[np.float64]) -> float:
    return float(np.sqrt(sum(np.var(i) / len(i) for i in influences)))
