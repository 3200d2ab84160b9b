"""What happens in a run, as typed events: one line each in ``events.jsonl``, read by whoever watches."""

import time
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    TypeAdapter,
    model_serializer,
)


class _Event(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    at: float = Field(default_factory=time.time)
    """Seconds since 1970."""


class RunStarted(_Event):
    """A run began, or went on after ``resumed`` finished rounds over all arms."""

    event: Literal["run_started"] = "run_started"
    resumed: int
    total: int


class SettingsChosen(_Event):
    """What a trial on this machine chose for the learner, by setting, and ``why``; kept for the whole run."""

    event: Literal["settings_chosen"] = "settings_chosen"
    settings: dict[str, str]
    why: str


class PromptsCut(_Event):
    """``cut`` of the first ``of`` training prompts are too long: their end is left out, in every round."""

    event: Literal["prompts_cut"] = "prompts_cut"
    cut: int
    of: int


class DuplicatesLeftOut(_Event):
    """Rows that equal one of another split were left out, so that no model is measured on what it has seen.

    ``left_out`` holds their numbers by the split in which they were.
    """

    event: Literal["duplicates_left_out"] = "duplicates_left_out"
    left_out: dict[str, int]


class RowsLeftOut(_Event):
    """Rows of the data were left out for what they hold; ``left_out`` holds how many, by the reason."""

    event: Literal["rows_left_out"] = "rows_left_out"
    left_out: dict[str, int]


class HeldOutSeen(_Event):
    """Rows that are held out are training rows as well: numbers from them flatter the model.

    ``seen`` holds how many, by split.
    """

    event: Literal["held_out_seen"] = "held_out_seen"
    seen: dict[str, int]


class Noted(_Event):
    """What the check of the plan found out of how ``part`` will work, such as how a function is called."""

    event: Literal["noted"] = "noted"
    part: str
    note: str


class StageStarted(_Event):
    """An arm entered a stage of a round."""

    event: Literal["stage_started"] = "stage_started"
    arm: str
    round: int
    stage: str


class Progress(_Event):
    """How far the making of candidates is: ``accepted`` so far, of the ``wanted``."""

    event: Literal["progress"] = "progress"
    arm: str
    round: int
    generated: int
    accepted: int
    wanted: int


class RowsProgress(_Event):
    """How far a long call is that writes, judges or reads rows: ``done`` of ``of``.

    ``tokens`` were written or read in the ``seconds`` since it began; 0 where there are none. A stage may
    make several calls; one on a chunk of candidates says which.
    """

    event: Literal["rows_progress"] = "rows_progress"
    arm: str
    round: int
    stage: str
    done: int
    of: int
    tokens: int
    seconds: float
    chunk: int | None = None


class TrainingProgress(_Event):
    """How far a training is: ``done`` steps of ``of`` at most.

    ``loss`` and ``gradient_norm`` are means of the latest ten that the learner reported; None where it
    reports none. ``tokens`` were trained on in the ``seconds`` since it began, prompts included.
    """

    event: Literal["training_progress"] = "training_progress"
    arm: str
    round: int
    stage: str
    done: int
    of: int
    loss: float | None
    gradient_norm: float | None
    tokens: int
    seconds: float


class VerifierSilent(_Event):
    """A round's candidates are not told apart: ``why``, after how many, and some of them by column."""

    event: Literal["verifier_silent"] = "verifier_silent"
    arm: str
    round: int
    why: str
    seen: int
    examples: list[dict[str, str]]


class VerifierLogged(_Event):
    """What the verifier logged of a chunk of candidates: the mean of each number, by name."""

    event: Literal["verifier_logged"] = "verifier_logged"
    arm: str
    round: int
    chunk: int
    values: dict[str, float]


class ChunkStored(_Event):
    """A chunk of ``candidates`` with its verdicts is on disk, so a kill does not cost it."""

    event: Literal["chunk_stored"] = "chunk_stored"
    arm: str
    round: int
    chunk: int
    candidates: int


class Exhausted(_Event):
    """A round reached ``max_candidates`` and kept fewer than it wanted."""

    event: Literal["exhausted"] = "exhausted"
    arm: str
    round: int
    wanted: int
    kept: int
    action: str


class RoundFinished(_Event):
    """A round's record is on disk."""

    event: Literal["round_finished"] = "round_finished"
    arm: str
    round: int
    peak_memory_mb: float


class StopRuleMet(_Event):
    """An arm's stop rule was met after ``round``: which kind of rule, and the numbers that say so."""

    event: Literal["stop_rule_met"] = "stop_rule_met"
    arm: str
    round: int
    when: str
    evidence: dict[str, float]


class ArmStopped(_Event):
    """An arm ended before its last round, and why."""

    event: Literal["arm_stopped"] = "arm_stopped"
    arm: str
    round: int
    reason: str


class WorkerLost(_Event):
    """A process that computed for the run died; its work is tried again, for the ``try``-th time."""

    event: Literal["worker_lost"] = "worker_lost"
    what: str
    try_: int = Field(validation_alias="try")

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, populate_by_name=True)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name.rstrip("_"): value for name, value in handler(self).items()}


class TrackerFailed(_Event):
    """A tracker made a mistake and gets no more of this run, which goes on; a resume tries it again."""

    event: Literal["tracker_failed"] = "tracker_failed"
    tracker: str
    reason: str


class RunEnded(_Event):
    """The run ended with this status; ``reason`` says why when it did not finish."""

    event: Literal["run_ended"] = "run_ended"
    status: Literal["finished", "waiting", "stopped", "failed"]
    reason: str | None = None


Event = Annotated[
    RunStarted
    | SettingsChosen
    | PromptsCut
    | DuplicatesLeftOut
    | RowsLeftOut
    | HeldOutSeen
    | Noted
    | StageStarted
    | Progress
    | RowsProgress
    | TrainingProgress
    | VerifierLogged
    | ChunkStored
    | VerifierSilent
    | Exhausted
    | RoundFinished
    | StopRuleMet
    | ArmStopped
    | WorkerLost
    | TrackerFailed
    | RunEnded,
    Field(discriminator="event"),
]
AboutData = PromptsCut | DuplicatesLeftOut | RowsLeftOut | HeldOutSeen
"""What a run says of its data, once."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes any event: ``EVENT.validate_json(line)``."""


SAID = "_reason"
"""Stands beside a candidate's columns: what the verifier said of it."""


def in_words(example: Mapping[str, str]) -> str:
    """An example of `VerifierSilent`: each column with its value, and what the verifier said."""
    return ", ".join(f"{'said' if name == SAID else name} {value!r}" for name, value in example.items())
