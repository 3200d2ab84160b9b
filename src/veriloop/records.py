"""What a finished round leaves behind: one frozen, typed record, one line of ``records.jsonl``."""

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

STAGES: tuple[str, ...] = ("update", "generate", "verify", "fit", "evaluate")
"""The stages of a round, in the order in which they run; the keys of ``RoundRecord.seconds``."""


_MAY_LACK = ("prompts", "training", "tokens")
"""Fields of a record that are left out of its line where there is nothing to say."""

Split = Literal["test", "validation"]
"""Of held-out data: that whose numbers are reported, and that which decisions read."""


def _number_or_null(x: float) -> float | None:
    # JSON has no NaN or infinity; null says "no such number" to every reader.
    return x if math.isfinite(x) else None


def _null_as_nan(x: Any) -> Any:
    return math.nan if x is None else x


Number = Annotated[float, BeforeValidator(_null_as_nan), PlainSerializer(_number_or_null, when_used="json")]


class Estimate(BaseModel):
    """A measured number and its Monte Carlo standard error (NaN when it has none).

    Attributes:
        value: The number.
        se: Its standard error.
        interval: Its 95 % interval by bootstrap, low and high, from a metric that makes one.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    value: Number
    se: Number
    interval: tuple[Number, Number] | None = None

    def __init__(self, value: float | None, se: float | None, **extra: Any) -> None:
        super().__init__(value=value, se=se, **extra)

    @property
    def band(self) -> tuple[float, float]:
        """Its interval where it has one, else two standard errors either side."""
        return self.interval or (self.value - 2 * self.se, self.value + 2 * self.se)

    @model_serializer(mode="wrap")
    def _without_nothing(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = serialise(self)
        return {name: fields[name] for name in fields if name != "interval" or self.interval}


class RowEstimate(Estimate):
    """An estimate that knows what each row adds to it: one number for each, whose mean is the value.

    Rows are held-out samples, or samples that a model has drawn. Two models that were measured on the same
    rows are compared row by row: the mean difference has the variance of the differences over their number.
    Records hold the estimate alone; the rows lie beside them, in single precision.

    Attributes:
        rows: Shape (n,).
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    rows: Annotated[NDArray[Any], Field(exclude=True, repr=False)]

    def __init__(self, value: float, se: float, *, rows: NDArray[Any], **extra: Any) -> None:
        super().__init__(value, se, rows=rows, **extra)

    @property
    def alone(self) -> Estimate:
        """Without the rows."""
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
    """How many candidates a round made and what became of them.

    ``generated == accepted + rejected + abstained`` and ``kept <= accepted``.

    Attributes:
        distinct: How many of the kept samples are different, by content.
        truncated: How many candidates are texts cut at their greatest length; 0 where that is not known.
        kept_truncated: How many of the kept samples are.
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
    """How a training went, as its learner reported it; NaN where it did not.

    Attributes:
        steps: How many were taken.
        loss_first: The mean loss of the first tenth of the steps, or of the epochs where losses are theirs.
        loss_last: Likewise, of the last tenth.
        gradient_norm: The mean over the steps, before it was clipped.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    steps: int
    loss_first: Number
    loss_last: Number
    gradient_norm: Number


class PromptCounts(BaseModel):
    """What became of a round's prompts, where it writes ``samples_per_prompt`` texts for each.

    Attributes:
        drawn: For how many prompts it wrote texts.
        solved: Of how many at least one text was accepted; None under a rule that only ranks, and in an arm
            without a verifier.
        always_solved: Of how many all were, but for texts on which the verifier abstained; likewise.
        copies: How many texts were left out as copies of others of their prompt (``distinct``).
        dropped_solved: How many prompts it passed over because the round before solved them
            (``drop_prompts``).
        dropped_unsolved: How many because the round before did not solve them.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    drawn: int
    solved: int | None = None
    always_solved: int | None = None
    copies: int = 0
    dropped_solved: int = 0
    dropped_unsolved: int = 0


class RoundRecord(BaseModel):
    """One finished (arm, round).

    Equal seeds give equal records, apart from ``seconds``: everything else that depends on the
    machine's mood, such as peak memory, is told by events instead.

    Attributes:
        arm: The arm's name.
        round: 0 for the start model.
        counts: What became of the candidates; all 0 in round 0.
        prompts: What became of the prompts, where several texts are written for each.
        abstentions: Why the verifier abstained: its commonest reasons, and on how many candidates each.
        silent: That the verifier, or the model, does not tell candidates apart: a line for each sign of it.
        trained_on: How many samples the round's model was trained on.
        training: How that went; None where the learner reports nothing.
        tokens: By stage, where there are any: ``generate``, those of the candidates' texts, and ``fit``,
            those trained on, prompts and repetitions included. Over `seconds` they are rates.
        exhausted: Whether the round kept fewer samples than it wanted (``train_with_fewer``).
        metrics: Measured on the test split, by name: the numbers to report.
        validation: The same on the validation split: what stop rules, forecasts and the round to ship read.
            Empty where there is none, and in records of earlier versions.
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
        """What decisions read: the validation split's numbers, the test split's where there are none."""
        return self.validation or self.metrics

    @property
    def decisive_split(self) -> Split:
        """Where the `decisive` numbers come from."""
        return "validation" if self.validation else "test"
