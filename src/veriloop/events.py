"""Typed events of a run, one line each in ``events.jsonl``, for anything that watches the run."""

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
    """Time in seconds since 1970."""


class RunStarted(_Event):
    """A run started, or continued after ``resumed`` finished rounds over all arms."""

    event: Literal["run_started"] = "run_started"
    resumed: int
    total: int


class SettingsChosen(_Event):
    """Learner settings chosen by a trial on this machine, and ``why``; they hold for the whole run."""

    event: Literal["settings_chosen"] = "settings_chosen"
    settings: dict[str, str]
    why: str


class PromptsCut(_Event):
    """``cut`` of the first ``of`` training prompts are too long; their end is dropped in every round."""

    event: Literal["prompts_cut"] = "prompts_cut"
    cut: int
    of: int


class DuplicatesLeftOut(_Event):
    """Rows equal to a row in another split were removed, so that no model is measured on data it has seen.

    ``left_out`` counts them by the split they were in.
    """

    event: Literal["duplicates_left_out"] = "duplicates_left_out"
    left_out: dict[str, int]


class RowsLeftOut(_Event):
    """Rows were removed because of their content; ``left_out`` counts them by reason."""

    event: Literal["rows_left_out"] = "rows_left_out"
    left_out: dict[str, int]


class HeldOutSeen(_Event):
    """Held-out rows are also training rows, so results on them are too good.

    ``seen`` counts them by split.
    """

    event: Literal["held_out_seen"] = "held_out_seen"
    seen: dict[str, int]


class Noted(_Event):
    """Something the check of the plan found out about ``part``, such as how a function is called."""

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
    """Progress in making candidates: ``accepted`` so far, out of ``wanted``."""

    event: Literal["progress"] = "progress"
    arm: str
    round: int
    generated: int
    accepted: int
    wanted: int


class RowsProgress(_Event):
    """Progress of a long call that writes, judges or reads rows: ``done`` out of ``of``.

    ``tokens`` were written or read in the ``seconds`` since it started; 0 if there are none. A stage may make
    several calls; a call on a chunk of candidates names its chunk.
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
    """Progress of a training: ``done`` steps out of at most ``of``.

    ``loss`` and ``gradient_norm`` are means of the ten latest values from the learner, or None if it reports
    none. ``tokens``, including prompts, were trained on in the ``seconds`` since it started.
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
    """The verifier does not distinguish a round's candidates: ``why``, how many it saw, and some examples."""

    event: Literal["verifier_silent"] = "verifier_silent"
    arm: str
    round: int
    why: str
    seen: int
    examples: list[dict[str, str]]


class VerifierLogged(_Event):
    """Numbers logged by the verifier for a chunk of candidates: the mean of each, by name."""

    event: Literal["verifier_logged"] = "verifier_logged"
    arm: str
    round: int
    chunk: int
    values: dict[str, float]


class ChunkStored(_Event):
    """A chunk of ``candidates`` with its verdicts is on disk and survives a kill."""

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
    """An arm's stop rule was met after ``round``: the kind of rule, and the numbers behind it."""

    event: Literal["stop_rule_met"] = "stop_rule_met"
    arm: str
    round: int
    when: str
    evidence: dict[str, float]


class ArmStopped(_Event):
    """An arm ended before its last planned round, and why."""

    event: Literal["arm_stopped"] = "arm_stopped"
    arm: str
    round: int
    reason: str


class WorkerLost(_Event):
    """A worker process died; its work is tried again, for the ``try``-th time."""

    event: Literal["worker_lost"] = "worker_lost"
    what: str
    try_: int = Field(validation_alias="try")

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, populate_by_name=True)

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name.rstrip("_"): value for name, value in handler(self).items()}


class TrackerFailed(_Event):
    """A tracker failed and gets nothing more from this run. The run goes on; a resume tries it again."""

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
"""Events about a run's data, sent once."""

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
"""Reads and writes any event: ``EVENT.validate_json(line)``."""


SAID = "_reason"
"""Key for the verifier's remark, next to a candidate's columns."""


def in_words(example: Mapping[str, str]) -> str:
    """Describe an example of `VerifierSilent`: each column with its value, and the verifier's remark."""
    return ", ".join(f"{'said' if name == SAID else name} {value!r}" for name, value in example.items())
