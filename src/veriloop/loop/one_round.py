"""One round as a pure function: ``step(state, context) -> (state, record)``."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ..advance import heard_by
from ..datasets.base import RealData
from ..errors import ExhaustedError, VeriloopError
from ..events import (
    DuplicatesLeftOut,
    Event,
    Exhausted,
    HeldOutSeen,
    Progress,
    PromptsCut,
    RowsLeftOut,
    StageStarted,
    VerifierLogged,
    VerifierSilent,
)
from ..executors.base import Executor
from ..generator import Generator
from ..judge import Judge
from ..metrics.base import Evaluation
from ..records import STAGES, Counts, Estimate, RoundRecord, RowEstimate, Split
from ..rng import START, Address, Stage, name_key
from ..samples import Samples
from ..store.kept import KeptRounds
from ..store.rows import Rows
from ..verdicts import Verdicts
from . import seam
from .chunks import ChunkFiles
from .data import beside, held_out_seen, load_schema, read_by
from .gather import Candidates, Gathered, condition_rows, gather
from .guard import Finding, examples_of
from .hearing import Hearing
from .opening import Opening, opened
from .per_prompt import counts_of, solved_in
from .plan import Arm, Plan
from .shown import OF_EACH, set_aside
from .starts import Start, Starts

LOOKED_AT = 10_000
"""Number of prompts checked for length: enough for an estimate, few enough to take seconds."""

SHOWN = 100
"""Number of samples of each round's model that are set aside for viewing."""


@dataclass(frozen=True)
class State:
    """The state of an arm after a round; everything that the next round depends on.

    Attributes:
        round: Round number; 0 after the start model.
        generator: Model of this round.
        judge: Judge of this round's candidates; None in round 0 and in an unverified arm.
        kept: Samples kept in rounds 1 to ``round``; loaded from a run folder only when used.
        provenance: Provenance of ``kept[-1]``, see `Gathered`; None in round 0.
        rejected: Other candidates of this round, if the plan asks for them.
        solved: How often this round solved its prompts, see `veriloop.loop.per_prompt.solved_in`; None if
            unknown.
        shown: First samples that the metrics saw, for people to view.
        judged: Some candidates of this round with their verdicts, for people to view; None without a
            verifier.
        rows: Contributions of each row to the measured numbers; empty if the metrics give none.
        counts: What became of this round's candidates; a run folder tells only where people judge.
    """

    round: int
    generator: Generator
    judge: Judge | None
    kept: KeptRounds = field(default_factory=KeptRounds)
    provenance: Samples | None = None
    rejected: Samples | None = None
    solved: Samples | None = None
    shown: Samples | None = None
    judged: Samples | None = None
    rows: Rows = field(default_factory=dict)
    counts: Counts | None = None


@dataclass(frozen=True)
class Context:
    """What all rounds of an arm share.

    Attributes:
        plan: Plan of the run, adapted to its data.
        name: Name of the arm.
        data: Real data.
        executor: Executor that makes chunks of candidates.
        emit: Called with each event.
        chunks: Function that returns the chunk files of a round by its judge; None to store no chunks.
        start: Function that returns the start model's rows of a number on a split, see `Evaluation.start`.
    """

    plan: Plan
    name: str
    data: RealData
    executor: Executor
    emit: Callable[[Event], None]
    chunks: Callable[[Judge | None], ChunkFiles] | None = None
    start: Callable[[str, Split], NDArray[np.float32] | None] | None = None

    @property
    def arm(self) -> Arm:
        """Setting of the arm."""
        return self.plan.arms[self.name]


@runtime_checkable
class Shortens(Protocol):
    """A generator that cuts conditions that are too long, as a language model does with prompts."""

    def cut(self, condition: Samples) -> NDArray[np.bool_]:
        """Return which rows it cuts, shape (n,)."""
        ...


class ArmStop(VeriloopError):
    """An arm ends early, because of ``on_exhausted: stop`` or because every prompt is dropped."""


class CannotGoOn(ExhaustedError):
    """A round kept nothing to train on, or its verifier only abstains; other arms may continue.

    Attributes:
        gathered: Outcome for its candidates. It stays in the process that raised the error.
    """

    gathered: Gathered


def begin(context: Context, starts: Starts | None = None) -> tuple[State, RoundRecord]:
    """Run round 0: train the start model that all arms share, and measure it.

    Args:
        context: Context of the run.
        starts: Shared folder of start models to read from or write to; None to always train.

    Returns:
        The state, without a judge, and the record under the arm name "start".
    """
    look_at_data(context)
    clock = _Clock(context.emit, START, 0)
    address = context.plan.address(START, 0)
    with clock.stage("fit") as hearing:
        start = starts and starts.find(context.plan)
        if start is None:
            rng = address.at(Stage.FIT).rng()
            fitted = seam.fit(context.plan.learner, context.data.start, None, rng)
            start = Start(fitted, hearing.trained(), hearing.tokens)
            if starts:
                starts.put(context.plan, start)
    generator = start.generator
    count_cut(generator, context)
    with clock.stage("evaluate"):
        shown, measured, rows = evaluate(generator, context, address)
    return State(0, generator, None, shown=shown, rows=rows), RoundRecord(
        arm=START,
        round=0,
        counts=Counts(),
        trained_on=len(context.data.start),
        training=start.training,
        tokens=_tokens(fit=start.tokens),
        **measured,
        seconds=clock.seconds,
    )


def look_at_data(context: Context) -> None:
    """Emit events on rows that were left out, and on held-out rows that are also training rows."""
    if context.data.duplicates:
        context.emit(DuplicatesLeftOut(left_out=dict(context.data.duplicates)))
    if context.data.left_out:
        context.emit(RowsLeftOut(left_out=dict(context.data.left_out)))
    dataset = context.plan.dataset
    if seen := held_out_seen(context.data, load_schema(dataset), type(dataset).__name__):
        context.emit(HeldOutSeen(seen=seen))


def count_cut(generator: Generator, context: Context, most: int = LOOKED_AT) -> None:
    """Emit an event with the number of prompts that are too long; once, as all rounds read the same ones."""
    pool = context.data.conditions
    if pool is None or not isinstance(generator, Shortens):
        return
    looked_at = pool.select(slice(most))
    if cut := int(np.count_nonzero(generator.cut(looked_at))):
        context.emit(PromptsCut(cut=cut, of=len(looked_at)))


def step(state: State, context: Context) -> tuple[State, RoundRecord]:
    """Run the next round of an arm: generate, verify, keep, retrain, measure.

    Equal arguments give equal results, in any process and with any executor.

    Raises:
        ExhaustedError: The round reached its limit of candidates, and ``on_exhausted`` is ``raise``.
        CannotGoOn: It kept nothing to train on, or its verifier only abstains.
        ArmStop: The limit was reached and ``on_exhausted`` is ``stop``; or ``drop_prompts`` leaves no prompt.
    """
    arm, number = context.arm, state.round + 1
    address = context.plan.address(context.name, number)
    clock = _Clock(context.emit, context.name, number)
    judge, gathered, prompts, solved = state.judge, None, None, None
    kept = state.kept
    training = context.data.train
    if arm.train_on == "kept":
        if arm.verifier is not None:
            with clock.stage("update"):
                judge = seam.judge(
                    arm.verifier, judge, state.generator, context.data.train, address.at(Stage.UPDATE).rng()
                )
        with clock.stage("generate"):
            opening = opened(context.plan, context.name, context.data, address, state.solved, state.counts)
            gathered = _gather(state.generator, judge, context, address, opening)
        if opening.drawn is not None and opening.per_prompt is not None:
            prompts = counts_of(opening.drawn, opening.per_prompt, gathered.counts.generated)
            solved = solved_in(opening.drawn, opening.per_prompt)
        clock.seconds.update(gathered.seconds)
        kept = state.kept + (gathered.kept,)
        rng = address.at(Stage.POLICY).rng()
        real = beside(read_by(arm.policy, context.data), kept[-1])
        training = seam.training_set(arm.policy, real, kept, rng)
    with clock.stage("fit") as hearing:
        init = state.generator if arm.warm_start else None
        generator = seam.fit(context.plan.learner, training, init, address.at(Stage.FIT).rng())
    with clock.stage("evaluate"):
        shown, measured, rows = evaluate(generator, context, address)
    record = RoundRecord(
        arm=context.name,
        round=number,
        counts=gathered.counts if gathered else Counts(),
        prompts=prompts,
        abstentions=gathered.commonest if gathered else {},
        silent=tuple(finding.why for finding in gathered.findings) if gathered else (),
        trained_on=len(training),
        training=hearing.trained(),
        tokens=_tokens(generate=gathered.tokens if gathered else None, fit=hearing.tokens),
        exhausted=gathered is not None and gathered.counts.kept < gathered.wanted,
        **measured,
        seconds=clock.seconds,
    )
    return State(
        round=number,
        generator=generator,
        judge=judge,
        kept=kept,
        provenance=gathered.provenance if gathered else None,
        rejected=gathered.rejected if gathered else None,
        solved=solved,
        shown=shown,
        judged=_judged(gathered, context) if gathered and arm.verifier else None,
        rows=rows,
        counts=gathered.counts if gathered else None,
    ), record


def _tokens(**by_stage: int | None) -> dict[str, int]:
    """Return the token counts for a record, without stages that have none."""
    return {stage: tokens for stage, tokens in by_stage.items() if tokens}


def _judged(gathered: Gathered, context: Context) -> Samples | None:
    """Return some candidates for viewing, for texts and images only; a list of numbers shows little."""
    schema = load_schema(context.plan.dataset)
    if gathered.first is None or not (schema.named("completion") or schema.named("image")):
        return None
    return set_aside(*gathered.first, OF_EACH)


class Measured(TypedDict):
    """The two groups of numbers in a record, see `RoundRecord`."""

    metrics: dict[str, Estimate]
    validation: dict[str, Estimate]


def evaluate(generator: Generator, context: Context, address: Address) -> tuple[Samples, Measured, Rows]:
    """Measure ``generator`` on the test split, and on the validation split if there is one.

    Each split gets its own samples, so that luck in a decision does not carry over to the report.

    Returns:
        The first `SHOWN` samples for the test split, all metrics of the plan, and their rows.
    """
    data = context.data
    generated, metrics, rows = measure(
        generator, context, "test", data.test, data.test_conditions, address.at(Stage.EVALUATE)
    )
    validation: dict[str, Estimate] = {}
    decisive: Mapping[str, NDArray[Any]] = {}
    if context.plan.metrics and data.validation is not None and len(data.validation):
        conditions = data.validation_conditions
        _, validation, decisive = measure(
            generator, context, "validation", data.validation, conditions, address.at(Stage.VALIDATE)
        )
    shown, measured = generated.select(slice(SHOWN)), Measured(metrics=metrics, validation=validation)
    return shown, measured, {"test": rows, "validation": decisive} if rows or decisive else {}


def measure(
    generator: Generator,
    context: Context,
    split: Split,
    real: Samples,
    conditions: Samples | None,
    address: Address,
) -> tuple[Samples, dict[str, Estimate], dict[str, NDArray[np.float32]]]:
    """Draw samples at ``address`` and measure them against ``real``; return the numbers and some rows."""
    plan = context.plan
    pool, n = context.data.conditions, plan.evaluation_samples
    if conditions is not None:
        # At most one sample per prompt: a second one would add little information.
        pool, n = conditions, min(n, len(conditions))
    asked = condition_rows(pool, 0, n)
    generated, notes = seam.sample_with_notes(generator, n, address.rng(), asked, context.data.start)
    evaluation = Evaluation(
        generator,
        generated,
        real,
        cut=None if notes is None else notes.cut,
        start=lambda name: None if context.start is None else context.start(name, split),
    )
    measured: dict[str, Estimate] = {}
    rows: dict[str, NDArray[np.float32]] = {}
    for metric in plan.metrics:
        # The random stream of a metric depends on its kind, so adding another metric does not change it.
        rng = address.at(address.stage, name_key(metric.kind)).rng()
        for name, found in seam.measure(metric, evaluation, rng).items():
            if isinstance(found, RowEstimate):
                rows[name] = found.rows.astype(np.float32)
                found = found.alone
            measured[name] = found
    return generated, measured, rows


def candidates_of(
    generator: Generator, judge: Judge | None, pool: Samples | None, context: Context, address: Address
) -> Candidates:
    """Describe how a round makes its candidates."""
    like = context.data.start.select(slice(0))  # workers need only its types
    return Candidates(
        arm=context.name,
        generator=generator,
        judge=judge,
        conditions=pool,
        address=address,
        threads=context.plan.threads,
        like=like,
        drop_truncated=context.arm.drop_truncated,
        each=context.arm.texts_per_prompt,
        emit=context.emit,
    )


def _gather(
    generator: Generator, judge: Judge | None, context: Context, address: Address, opening: Opening
) -> Gathered:
    plan, arm = context.plan, context.arm
    if opening.drawn is not None and not len(opening.drawn.rows):
        raise ArmStop(
            f"arm {context.name!r}, round {address.round}: drop_prompts leaves no prompt",
            got=f"{opening.drawn.solved:,} solved before, {opening.drawn.unsolved:,} not solved",
            fix="in a new --out, give more prompts, or drop fewer",
        )
    wanted = sum(opening.selection.quota.values())
    throttle = _Throttle()

    def report(counts: Counts) -> None:
        """Emit the progress, at most twice per second and at the end."""
        if throttle.due() or counts.kept >= wanted:
            context.emit(
                Progress(
                    arm=context.name,
                    round=address.round,
                    generated=counts.generated,
                    accepted=counts.accepted,
                    wanted=wanted,
                )
            )

    def warn(finding: Finding) -> None:
        """Emit that the verifier looks silent."""
        said = {"why": finding.why, "seen": finding.seen, "examples": finding.examples}
        context.emit(VerifierSilent(arm=context.name, round=address.round, **said))

    def note(number: int, verdicts: Verdicts) -> None:
        """Emit the means of the values that the verifier logged in chunk ``number``."""
        if values := {name: float(np.mean(v)) for name, v in verdicts.logged.items()}:
            where = {"arm": context.name, "round": address.round, "chunk": number}
            context.emit(VerifierLogged(**where, values=values))

    gathered = gather(
        candidates_of(generator, judge, opening.pool, context, address),
        opening.selection,
        balance=arm.balance,
        chunk_size=plan.chunk_size,
        limit=opening.limit,
        keep_rejected=plan.keep_rejected,
        executor=context.executor,
        report=report,
        chunks=context.chunks and context.chunks(judge),
        warn=warn,
        note=note,
        hopeless_after=arm.hopeless_after,
        first=opening.first,
    )
    for finding in gathered.findings:
        warn(finding)
    if gathered.hopeless is not None:
        raise _cannot_go_on(
            gathered,
            f"arm {context.name!r}, round {address.round}: {gathered.hopeless.why}",
            f"fix the verifier, or set hopeless_after, which is {arm.hopeless_after}",
        )
    if gathered.counts.kept < wanted:
        _on_exhausted(gathered, context, address.round, opening)
    return gathered


def _on_exhausted(gathered: Gathered, context: Context, round_: int, opening: Opening) -> None:
    counts, action = gathered.counts, context.arm.on_exhausted
    context.emit(
        Exhausted(arm=context.name, round=round_, wanted=gathered.wanted, kept=counts.kept, action=action)
    )
    what = (
        f"arm {context.name!r}, round {round_}: {opening.limit} candidates were not enough{opening.no_more}"
    )
    got = f"{counts.accepted} accepted, {counts.rejected} rejected, {counts.abstained} abstained"
    if gathered.abstentions:
        got += f" (most often: {gathered.abstentions.most_common(1)[0][0]})"
    got += f", {counts.kept} kept"
    if action == "stop":
        raise ArmStop(what, got=got, expected=gathered.wanted)
    other = "train_with_fewer or stop" if counts.kept else "stop"
    # More candidates or a milder rule do not help if no candidate was judged.
    judged = counts.abstained < counts.generated
    more = "give more prompts or more samples_per_prompt" if opening.no_more else "raise max_candidates"
    change = f"{more}, relax the acceptance" if judged else "fix the verifier"
    # The rounds in a folder belong to its configuration, so it cannot be changed there.
    fix = f"in a new --out, {change}, or set on_exhausted to {other}"
    if counts.kept == 0:
        raise _cannot_go_on(gathered, what, fix, got=got, expected=gathered.wanted)
    if action == "raise":
        raise ExhaustedError(what, got=got, expected=gathered.wanted, fix=fix)


def _cannot_go_on(
    gathered: Gathered, what: str, fix: str, got: str | None = None, expected: object = None
) -> CannotGoOn:
    ended = CannotGoOn(what, got=got, expected=expected, fix=f"{fix}{examples_of(gathered.findings)}")
    ended.gathered = gathered
    return ended


class _Clock:
    """Wall-clock seconds by stage, and events when a stage starts and while it lasts."""

    def __init__(self, emit: Callable[[Event], None], arm: str, round_: int) -> None:
        self._emit, self._arm, self._round = emit, arm, round_
        self.seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[Hearing]:
        """Measure the block as stage ``name``, and emit that it starts."""
        self._emit(StageStarted(arm=self._arm, round=self._round, stage=name))
        hearing = Hearing(self._emit, self._arm, self._round, name)
        began = time.perf_counter()
        with heard_by(hearing):
            yield hearing
        self.seconds[name] = time.perf_counter() - began


class _Throttle:
    """Limits reports to two per second: nobody reads more, and files stay small."""

    def __init__(self) -> None:
        self._last = -np.inf

    def due(self) -> bool:
        """Return whether half a second has passed since the last report."""
        now = time.monotonic()
        if now - self._last < 0.5:
            return False
        self._last = now
        return True
