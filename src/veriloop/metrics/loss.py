"""Held-out loss: how well a language model predicts texts written by people."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from ..errors import DataError
from ..quantity import Quantity
from ..records import Estimate
from ..samples import Samples
from ..schema import Role, Schema
from .base import Evaluation, Metric
from .standard_errors import by_row


@runtime_checkable
class Likelihood(Protocol):
    """A generator with a likelihood for texts, such as a causal language model."""

    def loss(self, samples: Samples) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return negative log-likelihood in nats and number of tokens of each completion, shape (n,) each."""
        ...


class Loss(Metric, frozen=True):
    """Negative log-likelihood of held-out completions, in nats per token.

    The sum over all held-out pairs divided by the number of their tokens, so it depends on the tokenizer. The
    standard error is that of this ratio over the pairs, by the delta method. The pairs are the same in every
    round and arm, so differences are more precise than this error. Rows are the pairs.

    NaN if the generator gives no likelihoods, such as a model behind a URL.

    Cost: one forward pass over the held-out pairs.
    """

    needs: ClassVar[tuple[Role, ...]] = ("completion",)
    quantities: ClassVar[Mapping[str, Quantity]] = {
        "loss": Quantity(
            "Held-out loss",
            better="lower",
            low=0,
            unit="nats per token",
            meaning="How unlikely the model finds texts written by people.",
        ),
    }

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema)
        me = "metric 'loss'"
        schema.written_by_people(schema.one("completion", me), me)
        return suited

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """Return ``loss``.

        Raises:
            DataError: The held-out samples have no completions, as with prompts only.
        """
        generator = evaluation.generator
        if not isinstance(generator, Likelihood):
            return {"loss": Estimate(np.nan, np.nan)}
        try:
            nats, tokens = (np.asarray(column, float) for column in generator.loss(evaluation.real))
        except DataError as e:
            raise DataError(
                f"the metric loss needs held-out texts written by people ({e})",
                fix="remove it from the metrics, or set the data's columns.completion to their column",
            ) from e
        n, total = len(tokens), tokens.sum()
        if total == 0:
            return {"loss": Estimate(np.nan, np.nan)}
        loss = nats.sum() / total
        residual = nats - loss * tokens
        error = np.sqrt(n / (n - 1) * (residual**2).sum()) / total if n > 1 else np.nan
        return {"loss": by_row(float(loss), float(error), residual * (n / total))}
