"""The result of a finished round: one frozen, typed record, one line of ``records.jsonl``."""

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from .mistakes import ModelInOneLine

STAGES: tuple[str, ...] = ("update", "generate", "verify", "fit", "evaluate")
"""Stages of a round in the order in which they run; the keys of ``RoundRecord.seconds``."""


_MAY_LACK = ("prompts", "training", "tokens")
"""Fields of a record that are omitted from its line when empty."""

Split = Literal["test", "validation"]
"""Held-out data: ``test`` for reported numbers, ``validation`` for decisions."""


def _number_or_null(x: float) -> float | None:
    # JSON has no NaN or infinity; null means "no such number" to every reader.
    return x if math.isfinite(x) else None


def _null_as_nan(x: Any) -> Any:
    return math.nan if x is None else x


Number = Annotated[float, BeforeValidator(_null_as_nan), PlainSerializer(_number_or_null, when_used="json")]


class Estimate(BaseModel, metaclass=ModelInOneLine):
    """A measured number and its Monte Carlo standard error (NaN if it has none).

    Attributes:
        value: Measured number.
        se: Standard error.
        interval: Bootstrap 95 % interval, low and high, if the metric computes one.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    value: Number
    se: Number
    interval: tuple[Number, Number] | None = None

    def __init__(self, value: float | None, se: float | None, **extra: Any) -> None:
        super().__init__(value=value, se=se, **extra)

    @property
    def band(self) -> tuple[float, float]:
        """The interval if there is one, else the value plus and minus two standard errors."""
        return self.interval or (self.value - 2 * self.se, self.value + 2 * self.se)

    @model_serializer(mode="wrap")
    def _without_nothing(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = serialise(self)
        return {name: fields[name] for name in fields if name != "interval" or self.interval}


class RowEstimate(Estimate):
    """An estimate with the contribution of each row: the value is the mean over rows.

    Rows are held-out samples or samples drawn by a model. Two models measured on the same rows are compared
    row by row: the variance of the mean difference is that of the differences divided by their number.
    Records hold only the estimate; rows are stored separately, in single precision.

    Attributes:
        rows: Contributions, shape (n,).
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    rows: Annotated[NDArray[Any], Field(exclude=True, repr=False)]

    def __init__(self, value: float, se: float, *, rows: NDArray[Any], **extra: Any) -> None:
        super().__init__(value, se, rows=rows, **extra)

    @property
    def alone(self) -> Estimate:
        """Return the estimate without the rows."""
        return Estimate(self.value, self.se, interval=self.interval)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, RowEstimate)
            and self.alone == other.alone
            and np.array_equal(self.rows, other.rows, equal_nan=True)
        )

    def __hash__(self) -> int:
        return hash(self.alone)


class Counts(BaseModel):
    """Number of candidates in a round, and what became of them.

    ``generated == accepted + rejected + abstained`` and ``kept <= accepted``.

    Attributes:
        distinct: Number of kept samples with different content.
        truncated: Number of candidate texts cut at the length limit; 0 if unknown.
        kept_truncated: Number of kept texts cut at the length limit.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    generated: int = 0
    accepted: int = 0
    rejected: int = 0
    abstained: int = 0
    kept: int = 0
    distinct: int = 0
    truncated: int = 0
    kept_truncated: int = 0


class Trained(BaseModel):
    """Summary of a training, as reported by its learner; NaN where it reported nothing.

    Attributes:
        steps: Number of training steps.
        loss_first: Mean loss over the first tenth of steps, or of epochs if losses are per epoch.
        loss_last: Mean loss over the last tenth.
        gradient_norm: Mean gradient norm over all steps, before clipping.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    steps: int
    loss_first: Number
    loss_last: Number
    gradient_norm: Number


class PromptCounts(BaseModel):
    """What became of a round's prompts, if it writes ``samples_per_prompt`` texts for each.

    Attributes:
        drawn: Number of prompts that texts were written for.
        solved: Number of prompts with at least one accepted text; None with a rule that only ranks, and in an
            arm without a verifier.
        always_solved: Number of prompts with all texts accepted, abstentions aside; None in the same cases.
        copies: Number of texts left out as copies of others for the same prompt (``distinct``).
        dropped_solved: Number of prompts skipped because the round before solved them (``drop_prompts``).
        dropped_unsolved: Number of prompts skipped because the round before did not solve them.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    drawn: int
    solved: int | None = None
    always_solved: int | None = None
    copies: int = 0
    dropped_solved: int = 0
    dropped_unsolved: int = 0


class RoundRecord(BaseModel):
    """Record of a finished round of an arm.

    Equal seeds give equal records, apart from ``seconds``. Other machine-dependent values, such as peak
    memory, are in events instead.

    Attributes:
        arm: Name of the arm.
        round: Round number; 0 for the start model.
        counts: Outcomes of the candidates; all 0 in round 0.
        prompts: Outcomes of the prompts, if several texts are written for each.
        abstentions: Most frequent reasons for abstentions, with the number of candidates.
        silent: Signs that the verifier or the model does not distinguish candidates, one line each.
        trained_on: Number of samples that the round's model was trained on.
        training: Summary of the training; None if the learner reports nothing.
        tokens: Number of tokens by stage, if any: ``generate`` for candidate texts, ``fit`` for training,
            including prompts and repetitions. Divide by `seconds` for rates.
        exhausted: Whether the round kept fewer samples than it wanted (``train_with_fewer``).
        metrics: Estimates on the test split, by name; the numbers to report.
        validation: Estimates on the validation split, used by stop rules, forecasts and the round to ship.
            Empty if there is no such split, and in records of earlier versions.
        seconds: Wall-clock seconds by stage, see :data:`STAGES`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    arm: str
    round: int
    counts: Counts
    prompts: PromptCounts | None = None
    abstentions: dict[str, int] = {}
    silent: tuple[str, ...] = ()
    trained_on: int
    training: Trained | None = None
    tokens: dict[str, int] = {}
    exhausted: bool = False
    metrics: dict[str, Estimate]
    validation: dict[str, Estimate] = {}
    seconds: dict[str, float]

    @model_serializer(mode="wrap")
    def _without_nothing(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = serialise(self)
        return {name: fields[name] for name in fields if name not in _MAY_LACK or fields[name]}

    @property
    def decisive(self) -> dict[str, Estimate]:
        """The numbers that decisions use: of the validation split, or of the test split if there is none."""
        return self.validation or self.metrics

    @property
    def decisive_split(self) -> Split:
        """The split that the `decisive` numbers come from."""
        return "validation" if self.validation else "test"
