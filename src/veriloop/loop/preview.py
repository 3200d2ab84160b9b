"""A tiny round, measured, and what the whole run will therefore cost."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from ..events import DuplicatesLeftOut, Event, HeldOutSeen, PromptsCut, RowsLeftOut
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..records import Counts, RoundRecord
from ..rules.schedule import Constant
from .check import check_data, checked
from .data import load_data
from .plan import Arm, Plan
from .step import CannotGoOn, Context, State, begin, opened, step
from .stores import save_state

E = TypeVar("E")

TINY = 200
"""How many samples the tiny round keeps at most: enough to time, few enough to be over in seconds."""

TINY_CANDIDATES = 5 * TINY
"""How many candidates it makes at most, unless the acceptance rule needs more from the start."""


class ArmPreview(BaseModel):
    """What a tiny round of an arm did, and an estimate of all its rounds in one process.

    Attributes:
        counts: Of the tiny round.
        abstentions: Why its verifier abstained, as in `RoundRecord`.
        seconds: Of the tiny round, by stage; it was not trained on anything if it kept nothing.
        estimated_candidates: Over all rounds, at the tiny round's acceptance rate and within the arm's limit.
        estimated_seconds: Over all rounds. Generating and judging are taken to grow with the number of
            candidates, fitting with that of kept samples; early stopping of a fit can make this wrong by a
            small factor.
        estimated_disk_mb: Over all rounds.
    """

    model_config = ConfigDict(frozen=True)

    counts: Counts
    abstentions: dict[str, int] = {}
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
        duplicates_left_out: If any rows are on two sides of a split, how many.
        rows_left_out: If any rows are left out for what they hold, how many and why.
        held_out_seen: If any held-out rows are training rows as well, how many.
        arms: By name.
        estimated_seconds: Of the whole run.
        estimated_disk_mb: Likewise.
    """

    model_config = ConfigDict(frozen=True)

    start_samples: int
    start_seconds: float
    prompts_cut: PromptsCut | None
    duplicates_left_out: DuplicatesLeftOut | None = None
    rows_left_out: RowsLeftOut | None = None
    held_out_seen: HeldOutSeen | None = None
    arms: dict[str, ArmPreview]
    estimated_seconds: float
    estimated_disk_mb: float


def preview(plan: Plan) -> Preview:
    """Train the start model, run one tiny round of each arm, and estimate the whole run.

    A tiny round keeps at most `TINY` samples and makes a bounded number of candidates. So it may keep fewer
    than it wants, or nothing, of a plan that runs.

    Nothing is left on disk. The start model is trained in full, so this takes as long as that, plus
    some seconds.

    Raises:
        VeriloopError: Something is wrong with the plan, see `veriloop.loop.check.checked`.
    """
    plan = checked(plan).plan
    data = load_data(plan.dataset, plan.seed)
    check_data(plan, data)
    told: list[Event] = []
    with limit_threads(plan.threads):
        context = Context(plan, next(iter(plan.arms)), data, Serial(), told.append)
        state, start = begin(context)
        arms = {
            name: _real_arm(start, context)
            if arm.train_on == "real"
            else _kept_arm(plan, name, context, state)
            for name, arm in plan.arms.items()
        }
    start_seconds = sum(start.seconds.values())
    return Preview(
        start_samples=len(data.start),
        start_seconds=start_seconds,
        prompts_cut=_first(told, PromptsCut),
        duplicates_left_out=_first(told, DuplicatesLeftOut),
        rows_left_out=_first(told, RowsLeftOut),
        held_out_seen=_first(told, HeldOutSeen),
        arms=arms,
        estimated_seconds=start_seconds + sum(arm.estimated_seconds for arm in arms.values()),
        estimated_disk_mb=sum(arm.estimated_disk_mb for arm in arms.values()),
    )


def _first(told: Sequence[Event], kind: type[E]) -> E | None:
    return next((event for event in told if isinstance(event, kind)), None)


def _kept_arm(plan: Plan, name: str, context: Context, state: State) -> ArmPreview:
    arm = plan.arms[name]
    tiny = Context(_tiny(plan, name, context, state), name, context.data, Serial(), context.emit)
    try:
        after, record = step(state, tiny)
        counts, abstentions, seconds = record.counts, record.abstentions, record.seconds
    except CannotGoOn as ended:
        # Worth seeing all the same: what the candidates cost, and why none was kept.
        counts, seconds = ended.gathered.counts, ended.gathered.seconds
        abstentions, after = ended.gathered.commonest, state
    per_kept = counts.generated / max(counts.kept, 1)
    candidates = [min(arm.limit(k), n * per_kept) for k, n in enumerate(_wanted(plan, arm), 1)]
    # Kept samples are the same share of the candidates in every round, so both grow alike.
    scale = sum(candidates) / counts.generated
    model_mb, samples_mb = _megabytes(after)
    by_size = sum(seconds.get(stage, 0.0) for stage in ("generate", "verify", "fit"))
    by_round = sum(seconds.get(stage, 0.0) for stage in ("update", "evaluate"))
    return ArmPreview(
        counts=counts,
        abstentions=abstentions,
        seconds=seconds,
        estimated_candidates=round(sum(candidates)),
        estimated_seconds=by_size * scale + by_round * plan.rounds,
        estimated_disk_mb=samples_mb * scale + model_mb * plan.rounds,
    )


def _wanted(plan: Plan, arm: Arm) -> list[int]:
    assert arm.schedule is not None  # Arm checks it for every arm that trains on kept samples.
    return [arm.schedule.wanted(k) for k in range(1, plan.rounds + 1)]


def _tiny(plan: Plan, name: str, context: Context, state: State) -> Plan:
    """The plan with one arm only, which keeps few samples, makes few candidates, and takes what it gets."""
    arm = plan.arms[name]
    n = min(TINY, max(_wanted(plan, arm)))
    few = arm.model_copy(update={"schedule": Constant(n=n), "on_exhausted": "train_with_fewer"})
    small = plan.model_copy(update={"arms": {name: few}})
    _, selection, limit = opened(
        Context(small, name, context.data, Serial(), context.emit),
        plan.address(name, state.round + 1),
    )
    # A rule that takes the best of many needs these many from the start. Twice that leaves room for
    # candidates on which the verifier abstains, which have to be made up for.
    most = min(limit, max(TINY_CANDIDATES, 2 * selection.shortfall()))
    return small.model_copy(update={"arms": {name: few.model_copy(update={"max_candidates": most})}})


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
    """The size on disk of a round's models, and of the samples that it keeps or sets aside."""
    with tempfile.TemporaryDirectory() as scratch:
        save_state(state, Path(scratch))
        sizes = {p.name: p.stat().st_size / 2**20 for p in Path(scratch).rglob("*") if p.is_file()}
    kept = sizes.pop("kept.npz", 0.0) + sizes.pop("rejected.npz", 0.0)
    return sum(sizes.values()), kept
