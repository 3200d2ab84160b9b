"""pass@k as any verifier that learns nothing judges it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, SerializeAsAny, StringConstraints, model_validator
from typing_extensions import override

from ..errors import ConfigError
from ..quantity import Quantity
from ..records import Estimate
from ..samples import Samples
from ..schema import Schema
from ..verdicts import Decision
from ..verifiers.base import Verifier
from .base import Evaluation, Metric
from .pass_at import PassAt, Positive, check_tries
from .texts import column_of


class Solved(Metric, frozen=True):
    """How many held-out prompts are solved in k tries, where a verifier says what is solved.

    The numbers are those of `veriloop.metrics.pass_at.PassAt`. Functions and ready checks have them as a
    setting of their own metrics; this is for all other verifiers: a judge, a server of yours, a class.

    Cost: ``samples_per_prompt`` texts for each held-out prompt, and the verifier's verdicts on them.

    Attributes:
        verifier: Verifier that accepts or rejects each text. It must not need fitting, because one fitted to
            the round's model would measure each round differently.
        k: Values of k.
        samples_per_prompt: Number of texts for each held-out prompt; the largest k when None.
        solved_at: Lowest score that counts as accepted, if the verifier leaves the decision open.
        name: Prefix of the quantities' names; two of these metrics in one plan need two names.
        column: Column that is written; the data's completion when None.
    """

    verifier: SerializeAsAny[Verifier]
    k: Annotated[tuple[Positive, ...], Field(min_length=1)] = (1, 8)
    samples_per_prompt: Positive | None = None
    solved_at: float = 0.5
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]\w*$", max_length=60)] | None = None
    column: str | None = None

    @model_validator(mode="after")
    def _ready(self) -> Self:
        check_tries("k", self.k, self.samples_per_prompt)
        if self.verifier.verdict_stores():
            raise ConfigError(
                "pass_at cannot ask people",
                got=self.verifier.kind,
                fix="people judge candidates; a measurement of each round is for a check or a judge",
            )
        if type(self.verifier).fit is not Verifier.fit:
            raise ConfigError(
                "pass_at needs a verifier that is ready as it is configured",
                got=f"{self.verifier.kind!r}, which is fitted in each round",
                expected="such as a check, a judge, a server or a class with verify",
            )
        return self

    @property
    def _passes(self) -> PassAt:
        n, at = self.samples_per_prompt, self.solved_at
        return PassAt(pass_at=self.k, samples_per_prompt=n, solved_at=at)

    @property
    def _prefix(self) -> str:
        return "" if self.name is None else f"{self.name}_"

    @property
    def quantities(self) -> Mapping[str, Quantity]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """pass@k for each k, and what became of the prompts that the start model solved."""
        return self._passes.pass_quantities(self._prefix)

    @property
    @override
    def draws_again(self) -> bool:
        return self._passes.texts_for_each > 1

    @override
    def suited_to(self, schema: Schema) -> Self:
        suited = super().suited_to(schema)
        column = column_of(schema, self.column, "completion", "metric 'pass_at'")
        return suited.model_copy(update={"verifier": self.verifier.suited_to(schema), "column": column})

    @override
    def check_ahead(self, schema: Schema) -> Sequence[str] | None:
        return self.verifier.check_ahead(schema)

    @override
    def measure(self, evaluation: Evaluation, rng: np.random.Generator) -> dict[str, Estimate]:
        """See `PassAt.measure_pass`. A text on which the verifier abstains is not accepted."""
        drawing, judging = rng.spawn(2)

        def solves(samples: Samples) -> NDArray[np.bool_]:
            """Return which samples the verifier accepts, shape (n,)."""
            said = self.verifier.verify(samples, judging)
            open_ = said.is_(Decision.OPEN)
            return said.is_(Decision.ACCEPT) | (open_ & (np.nan_to_num(said.score) >= self.solved_at))

        column = self.column or "completion"
        return self._passes.measure_pass(evaluation, column, self._prefix, solves, drawing)
