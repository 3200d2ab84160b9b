"""Distance of a linear model's parameters from given ones."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field
from typing_extensions import override

from ..errors import ConfigError, ContractError
from ..quantity import Quantity
from ..records import Estimate
from ..schema import Schema
from .base import Evaluation, Metric


class ParameterError(Metric, frozen=True):
    """``parameter_error``: the squared distance ``||theta - truth||^2`` of a model with parameters ``theta``.

    It costs nothing and is exact: its standard error is 0. (That of a mean over seeds is not.)

    Attributes:
        truth: Parameters to compare with, p numbers.
    """

    quantities: ClassVar[Mapping[str, Quantity]] = {
        "parameter_error": Quantity(
            "Parameter error",
            better="lower",
            low=0,
            meaning="Squared distance of the model's parameters from the true ones.",
        ),
    }

    truth: Annotated[tuple[float, ...], Field(min_length=1)]

    @override
    def suited_to(self, schema: Schema) -> Self:
        lengths = {name: schema[name].p for name in schema.named("vector")}
        if lengths and len(self.truth) not in lengths.values():
            name, p = next(iter(lengths.items()))
            raise ConfigError(
                "truth", got=f"{len(self.truth)} numbers", expected=f"{p}, as column {name!r} has"
            )
        return super().suited_to(schema)

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        theta = getattr(evaluation.generator, "theta", None)
        if theta is None:
            raise ContractError(
                "parameter_error", got=type(evaluation.generator).__name__, expected="a model with `theta`"
            )
        return {"parameter_error": Estimate(float(np.sum((theta - np.array(self.truth)) ** 2)), 0.0)}
