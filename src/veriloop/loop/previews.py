"""Preview: estimate a run's cost, and show its verifier's decisions, from a few rows, within a minute."""

import math
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from ..errors import VeriloopError
from ..events import AboutData, DuplicatesLeftOut, Event, HeldOutSeen, PromptsCut, RowsLeftOut
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..guarded.kept import keeping
from ..peak_memory import peak_memory
from ..records import Counts, Number
from ..rng import START
from ..samples import Samples, concat
from ..schema import Schema
from ..showing import in_short
from ..store.reader import FATE, FATES, REASON, SCORE
from ..verdicts import Verdicts
from . import seam
from .check import check_data, checked
from .data import load_data, load_schema
from .deadline import Clock
from .gather import Gathered
from .one_round import Context, count_cut, look_at_data
from .plan import Plan
from .shown import as_text, set_aside
from .trial import (
    Once,
    Started,
    Training,
    Tried,
    start,
    training_of_rounds,
    try_arm,
    try_evaluation,
    wanted_by,
)

E = TypeVar("E")

LIMIT = 52.0
"""Time limit in seconds for the whole preview, without the program's start and end."""

SHOWN = 3
"""Number of candidates shown per arm."""

LOOKED_AT = 500
"""Number of prompts checked for length."""

SLOWER, FASTER = 1.5, 2.0
"""Factor for the upper end of the estimated time.

Large batches cost less per row than small ones, and other programs slow everything down.
"""


class Shown(BaseModel):
    """A candidate and its outcome.

    Attributes:
        fate: ``kept``, ``not kept`` or ``abstained``.
        columns: The candidate as text, by column, with the model's input first.
        score: Score from the verifier; None without one.
        reason: Reason given by the verifier; empty if there is none.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    fate: str
    columns: dict[str, str]
    score: Number | None
    reason: str


class ArmPreview(BaseModel):
    """The outcome for a few candidates of an arm, and an estimate for all its rounds in one process.

    Numbers that could not be measured in time are NaN, or null in JSON.

    Attributes:
        counts: Counts of the candidates that were tried.
        abstentions: Number of abstentions by reason, as in `RoundRecord`.
        silent: Signs that the verifier does not distinguish candidates, one line each.
        shown: Some candidates of each outcome.
        waits: Samples that people have to judge before the arm's first round; empty if none.
        seconds: Seconds used for these candidates, by stage.
        estimated_candidates: Candidates over all rounds, at the acceptance rate so far and within the arm's
            limit.
        candidates_range: Candidates at both ends of the rate's 95 % interval.
        estimated_seconds: Seconds over all rounds.
        seconds_range: Expected range of these seconds.
        estimated_disk_mb: Megabytes of its rounds, without the start model.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    counts: Counts = Counts()
    abstentions: dict[str, int] = {}
    silent: tuple[str, ...] = ()
    shown: tuple[Shown, ...] = ()
    waits: str = ""
    seconds: dict[str, float] = {}
    estimated_candidates: Number = math.nan
    candidates_range: tuple[Number, Number] = (math.nan, math.nan)
    estimated_seconds: Number = math.nan
    seconds_range: tuple[Number, Number] = (math.nan, math.nan)
    estimated_disk_mb: Number = math.nan


class Preview(BaseModel):
    """Results of trying a plan, and the estimated cost of the whole run in one process.

    Attributes:
        start_samples: Number of samples that the start model is trained on.
        start_seconds: Seconds for that training.
        tried_rows: Number of rows that the previewed model was trained on.
        tried_steps: Number of training steps taken, and the full number; None if its learner reports none.
        tokens_per_second: Speed of writing (``generate``) and training (``fit``), if there are tokens.
        prompts_cut: Number of the first prompts that are too long, if any.
        duplicates_left_out: Number of rows that occur in two splits, if any.
        rows_left_out: Number of rows left out because of their content, and why, if any.
        held_out_seen: Number of held-out rows that are also training rows, if any.
        notes: Remarks of parts on how they will work: lines by the part's path.
        arms: Previews of the arms by name.
        missed: Descriptions of what could not be measured in time.
        took: Seconds that the preview took.
        estimated_seconds: Seconds for the whole run.
        seconds_range: Expected range of these seconds.
        estimated_disk_mb: Largest size of the whole run in megabytes.
        memory_mb: Memory of this process in MB; each process of a run needs at least as much.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True)

    start_samples: int
    start_seconds: Number = math.nan
    tried_rows: int = 0
    tried_steps: tuple[int, int] | None = None
    tokens_per_second: dict[str, float] = {}
    prompts_cut: PromptsCut | None = None
    duplicates_left_out: DuplicatesLeftOut | None = None
    rows_left_out: RowsLeftOut | None = None
    held_out_seen: HeldOutSeen | None = None
    notes: dict[str, list[str]] = {}
    arms: dict[str, ArmPreview]
    missed: tuple[str, ...] = ()
    took: float = 0.0
    estimated_seconds: Number = math.nan
    seconds_range: tuple[Number, Number] = (math.nan, math.nan)
    estimated_disk_mb: Number = math.nan
    memory_mb: float = 0.0

    def __repr__(self) -> str:
        low, high = self.seconds_range
        estimate = (
            f"about {self.estimated_seconds:,.0f} s ({low:,.0f} to {high:,.0f}) and"
            f" {self.estimated_disk_mb:,.0f} MB for the whole run, in one process"
            if math.isfinite(self.estimated_seconds)
            else "the cost of the whole run cannot be estimated"
        )
        return in_short("Preview", f"{', '.join(self.arms)}; {estimate}")

    __str__ = __repr__

    @property
    def about_data(self) -> list[AboutData]:
        """Events about the data."""
        seen = (self.prompts_cut, self.duplicates_left_out, self.rows_left_out, self.held_out_seen)
        return [event for event in seen if event]


def preview(plan: Plan, seconds: float = LIMIT) -> Preview:
    """Try a plan on a few rows, and estimate the cost of the whole run.

    A model is trained, on all start samples if that takes seconds, else on a few. It makes some candidates, 8
    to 16 if they are slow. Each arm's verifier judges them, and a few rows are evaluated. The cost of all
    rounds follows from the number of rows in each. What cannot be measured in time is listed as missed.
    Nothing is left on disk.

    Args:
        plan: Plan to try.
        seconds: Time limit.

    Raises:
        VeriloopError: Something is wrong with the plan, see `veriloop.loop.check.checked`; or its data could
            not be loaded in time.
    """
    began, clock = time.monotonic(), Clock(seconds)
    found = checked(plan)
    plan, notes = found.plan, found.notes
    data = clock.give("the data", seconds, lambda: load_data(plan.dataset, plan.seed))
    if data is None:
        raise VeriloopError("the data were not loaded", got=clock.missed[0], fix="give preview more seconds")
    check_data(plan, data)
    told: list[Event] = []
    with limit_threads(plan.threads), keeping():
        context = Context(plan, START, data, Serial(), told.append)
        look_at_data(context)
        started = start(context, clock)
        if started is None:
            arms = dict.fromkeys(plan.arms, ArmPreview())
            seen = Preview(start_samples=len(data.start), arms=arms)
        else:
            count_cut(started.generator, context, LOOKED_AT)
            seen = _tried(context, started, clock)
    return seen.model_copy(
        update={
            "prompts_cut": _first(told, PromptsCut),
            "duplicates_left_out": _first(told, DuplicatesLeftOut),
            "rows_left_out": _first(told, RowsLeftOut),
            "held_out_seen": _first(told, HeldOutSeen),
            "notes": notes,
            "missed": tuple(clock.missed),
            "took": time.monotonic() - began,
            "memory_mb": peak_memory() / 2**20,
        }
    )


def _first(told: Sequence[Event], kind: type[E]) -> E | None:
    return next((event for event in told if isinstance(event, kind)), None)


def _tried(context: Context, started: Started, clock: Clock) -> Preview:
    plan, once = context.plan, Once(started.generator)
    tried = {
        name: try_arm(Context(plan, name, context.data, Serial(), context.emit), once, clock)
        for name, arm in plan.arms.items()
        if arm.train_on == "kept"
    }
    evaluation = try_evaluation(context, once, clock)
    training = started.training
    model_mb = _megabytes_of_model(once, clock)
    rounds = training_of_rounds(context, started, once, clock)
    costs = _Costs(context, once, (training, rounds), evaluation or math.nan, model_mb)
    arms = {
        name: costs.of_kept(name, tried[name]) if name in tried else costs.of_real() for name in plan.arms
    }
    begin = costs.start()
    wrote = {"generate": once.tokens / once.seconds} if once.tokens else {}
    trained = {"fit": training.tokens_per_second} if training.tokens_per_second else {}
    total = begin + sum(arm.estimated_seconds for arm in arms.values())
    lows, highs = zip(*(arm.seconds_range for arm in arms.values()), strict=True)
    return Preview(
        start_samples=len(context.data.start),
        start_seconds=begin,
        tried_rows=started.rows,
        tried_steps=training.steps,
        tokens_per_second=wrote | trained,
        arms=arms,
        estimated_seconds=total,
        seconds_range=(begin / FASTER + sum(lows), begin * SLOWER + sum(highs)),
        estimated_disk_mb=costs.shared_disk() + sum(arm.estimated_disk_mb for arm in arms.values()),
    )


class _Costs:
    """Estimates the cost of a whole run from what was tried."""

    def __init__(
        self,
        context: Context,
        once: Once,
        trainings: tuple[Training, Training],
        evaluation: float,
        model_mb: float,
    ) -> None:
        self._plan, self._data = context.plan, context.data
        self._schema = load_schema(context.plan.dataset)
        self._once, self._evaluation = once, evaluation
        self._of_start, self._of_rounds = trainings
        self._model_mb = model_mb

    def start(self) -> float:
        """Return the seconds for the start model."""
        n = len(self._data.start)
        return (
            self._of_start.seconds(self._plan.learner, n) if n else self._of_start.fixed
        ) + self._evaluation

    def shared_disk(self) -> float:
        """Return the megabytes of the start model, and of a new model next to an old one."""
        return self._model_mb * (1 if self._plan.keep_models == "all" else 2)

    def _fit(self, n: int) -> float:
        return math.nan if self._of_rounds.each is None else self._of_rounds.seconds(self._plan.learner, n)

    def of_real(self) -> ArmPreview:
        """Return the cost of the upper bound: one training on all real samples, which is not tried."""
        seconds = self._fit(len(self._data.train)) + self._evaluation
        return ArmPreview(
            estimated_candidates=0,
            candidates_range=(0, 0),
            estimated_seconds=seconds,
            seconds_range=(seconds / FASTER, seconds * SLOWER),
            estimated_disk_mb=self._model_mb,
        )

    def of_kept(self, name: str, tried: Tried) -> ArmPreview:
        """Estimate the cost of an arm that was tried."""
        gathered, rounds = tried.gathered, self._plan.rounds
        if gathered is None:
            return ArmPreview(waits=tried.waits, seconds=tried.seconds)
        counts, wanted = gathered.counts, wanted_by(self._plan, name)
        many, low, high = (self._candidates(name, wanted, tried, each) for each in _per_kept(counts, tried))
        each = self._once.each + gathered.seconds["verify"] / counts.generated
        fits = sum(map(self._fit, self._trained_on(name, wanted)))
        fixed = fits + rounds * (self._evaluation + tried.seconds.get("update", 0.0))
        kept_mb = _megabytes(gathered.kept) / max(counts.kept, 1) * sum(wanted)
        models = {"all": rounds, "best": 2, "last": 1}[self._plan.keep_models]
        return ArmPreview(
            counts=counts,
            abstentions=gathered.commonest,
            silent=tuple(finding.why for finding in gathered.findings),
            shown=_shown(gathered, tried, self._schema) if self._plan.arms[name].verifier else (),
            seconds=tried.seconds,
            estimated_candidates=round(many),
            candidates_range=(round(low), round(high)),
            estimated_seconds=each * many + fixed,
            seconds_range=((each * low + fixed) / FASTER, (each * high + fixed) * SLOWER),
            estimated_disk_mb=self._model_mb * models + kept_mb,
        )

    def _candidates(self, name: str, wanted: Sequence[int], tried: Tried, each: float) -> float:
        arm = self._plan.arms[name]
        return sum(min(arm.limit(k), n * max(each, tried.ratio)) for k, n in enumerate(wanted, 1))

    def _trained_on(self, name: str, wanted: Sequence[int]) -> list[int]:
        """Return how many samples each round trains on, found by passing row numbers to the policy."""
        policy, sizes = self._plan.arms[name].policy, list[int]()
        start = Samples(row=np.arange(len(self._data.start)))
        # A policy that uses earlier rounds is asked about some rounds only, because their rows add up.
        asked = np.unique(np.linspace(1, len(wanted), min(len(wanted), 12)).astype(int)).tolist()
        for k in asked:
            kept = [Samples(row=np.arange(n)) for n in wanted[:k]]
            try:
                sizes.append(len(policy.training_set(start, kept, np.random.default_rng(0))))
            except Exception:  # a policy may inspect the samples
                sizes.append(wanted[k - 1])
        return np.interp(np.arange(1, len(wanted) + 1), asked, sizes).round().astype(int).tolist()


def _per_kept(counts: Counts, tried: Tried) -> tuple[float, float, float]:
    """Return the candidates needed per kept sample: observed, and at both ends of the 95 % interval."""
    n, abstained = counts.generated, counts.abstained
    if tried.ratio > 1:
        # A rule that keeps the best of a fixed number judges that many, plus a replacement for each
        # abstention.
        each = tried.ratio * n / (n - abstained) if abstained < n else math.inf
        return each, each, each
    each = n / counts.kept if counts.kept else math.inf
    low, high = _share(counts.accepted, n)
    return each, min(each, 1 / high), max(each, 1 / low) if low else math.inf


def _share(some: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson's score."""
    z = 1.96
    center, half = some + z * z / 2, z * math.sqrt(some * (n - some) / n + z * z / 4)
    # The lower end for a count of 0 is exactly 0, apart from rounding.
    return (center - half) / (n + z * z) if some else 0.0, (center + half) / (n + z * z)


def _shown(gathered: Gathered, tried: Tried, schema: Schema) -> tuple[Shown, ...]:
    """Return some candidates: one of each outcome in turn, best first if kept, else worst first."""
    assert tried.witness is not None
    chunks, said, _ = zip(*tried.witness.offered, strict=True)
    samples = concat(chunks)
    some = set_aside(samples, _together(said), tried.witness.kept(), 2 * SHOWN)
    fate = some.array(FATE)
    of_fate = {number: np.flatnonzero(fate == number).tolist() for number in range(len(FATES))}
    for number in (1, 2):
        of_fate[number].reverse()
    rows: list[int] = []
    while len(rows) < min(SHOWN, len(some)):
        rows += [of_fate[number].pop(0) for number in of_fate if of_fate[number]]
    return tuple(
        Shown(
            fate=FATES[fate[row]],
            columns=as_text(some, row, schema),
            score=float(some.array(SCORE)[row]),
            reason=some.texts(REASON)[row],
        )
        for row in sorted(rows[:SHOWN], key=lambda row: fate[row])
    )


def _together(verdicts: Sequence[Verdicts]) -> Verdicts:
    reasons = [v.reason or [""] * len(v) for v in verdicts]
    score, decision = (np.concatenate([getattr(v, name) for v in verdicts]) for name in ("score", "decision"))
    return Verdicts(score, decision, [reason for some in reasons for reason in some])


def _megabytes(samples: Samples) -> float:
    return len(samples.to_bytes()) / 2**20


def _megabytes_of_model(once: Once, clock: Clock) -> float:
    """Return the disk space of a round's model; NaN if there is no space to write one, or no time."""
    largest = peak_memory()
    with tempfile.TemporaryDirectory() as scratch:
        if shutil.disk_usage(scratch).free < 2 * largest:
            clock.missed.append("the size of a model on disk (no room to write one)")
            return math.nan
        place = Path(scratch) / "model"
        if clock.give("the size of a model on disk", 10.0, lambda: _saved(once, place)) is None:
            return math.nan
        return sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / 2**20


def _saved(once: Once, place: Path) -> bool:
    seam.save(once.generator, place)
    return True
