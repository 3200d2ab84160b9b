"""A tiny round, measured, and what the whole run will therefore cost."""

import tempfile
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ..events import Event, PromptsCut
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..records import Counts, RoundRecord
from ..rules.schedule import Constant
from .plan import Plan
from .run import load_data, save_state
from .step import Context, State, begin, step

TINY = 200
"""How many samples the tiny round keeps: enough to time, few enough to be over in seconds."""


class ArmPreview(BaseModel):
    """What a tiny round of an arm did, and an estimate of all its rounds in one process.

    Attributes:
        counts: Of the tiny round.
        seconds: Of the tiny round, by stage.
        estimated_candidates: Over all rounds, at the tiny round's acceptance rate.
        estimated_seconds: Over all rounds. Fitting and generating are taken to grow with the number of
            samples; early stopping of a fit can make this wrong by a small factor.
        estimated_disk_mb: Over all rounds.
    """

    model_config = ConfigDict(frozen=True)

    counts: Counts
    seconds: dict[str, float]
    estimated_candidates: int
    estimated_seconds: float
    estimated_disk_mb: float


class Preview(BaseModel):
    """The tiny round of every arm, and the whole run's estimated cost in one process.

    Attributes:
        start_samples: How many the start model is trained on.
        start_seconds: That it takes.
        prompts_cut: If any prompts are too long, how many.
        arms: By name.
        estimated_seconds: Of the whole run.
        estimated_disk_mb: Likewise.
    """

    model_config = ConfigDict(frozen=True)

    start_samples: int
    start_seconds: float
    prompts_cut: PromptsCut | None
    arms: dict[str, ArmPreview]
    estimated_seconds: float
    estimated_disk_mb: float


def preview(plan: Plan) -> Preview:
    """Train the start model, run one tiny round of each arm, and estimate the whole run.

    Nothing is left on disk. The start model is trained in full, so this takes as long as that, plus
    some seconds.
    """
    data = load_data(plan.dataset, plan.seed)
    told: list[Event] = []
    with limit_threads(plan.threads):
        context = Context(plan, next(iter(plan.arms)), data, Serial(), told.append)
        state, start = begin(context)
        arms = {
            name: _real_arm(start, context)
            if arm.train_on == "real"
            else _kept_arm(plan, name, context, replace(state, verifier=arm.verifier))
            for name, arm in plan.arms.items()
        }
    start_seconds = sum(start.seconds.values())
    return Preview(
        start_samples=len(data.start),
        start_seconds=start_seconds,
        prompts_cut=next((event for event in told if isinstance(event, PromptsCut)), None),
        arms=arms,
        estimated_seconds=start_seconds + sum(arm.estimated_seconds for arm in arms.values()),
        estimated_disk_mb=sum(arm.estimated_disk_mb for arm in arms.values()),
    )


def _kept_arm(plan: Plan, name: str, context: Context, state: State) -> ArmPreview:
    schedule = plan.arms[name].schedule
    assert schedule is not None  # Arm checks it for every arm that trains on kept samples.
    tiny_arm = plan.arms[name].model_copy(update={"schedule": Constant(n=TINY)})
    tiny = plan.model_copy(update={"arms": {name: tiny_arm}})
    after, record = step(state, Context(tiny, name, context.data, Serial(), context.emit))
    wanted = [schedule.wanted(k) for k in range(1, plan.rounds + 1)]
    scale = sum(wanted) / TINY
    model_mb, kept_mb = _megabytes(after)
    by_size = sum(record.seconds.get(stage, 0.0) for stage in ("generate", "verify", "fit"))
    by_round = sum(record.seconds.get(stage, 0.0) for stage in ("update", "evaluate"))
    return ArmPreview(
        counts=record.counts,
        seconds=record.seconds,
        estimated_candidates=round(record.counts.generated * scale),
        estimated_seconds=by_size * scale + by_round * plan.rounds,
        estimated_disk_mb=kept_mb * scale + model_mb * plan.rounds,
    )


def _real_arm(start: RoundRecord, context: Context) -> ArmPreview:
    """The upper bound's one fit is estimated from the start model's, not run."""
    per_sample = start.seconds["fit"] / start.trained_on
    seconds = {"fit": per_sample * len(context.data.train), "evaluate": start.seconds["evaluate"]}
    return ArmPreview(
        counts=Counts(),
        seconds=seconds,
        estimated_candidates=0,
        estimated_seconds=sum(seconds.values()),
        estimated_disk_mb=0.0,
    )


def _megabytes(state: State) -> tuple[float, float]:
    """The size on disk of a round's models, and of its kept samples."""
    with tempfile.TemporaryDirectory() as scratch:
        save_state(state, Path(scratch))
        sizes = {p.name: p.stat().st_size / 2**20 for p in Path(scratch).rglob("*") if p.is_file()}
    kept = sizes.pop("kept.npz", 0.0) + sizes.pop("rejected.npz", 0.0)
    return sum(sizes.values()), kept
