"""Time the stages of a run on a few rows, as the basis of the preview."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from typing_extensions import override

from ..advance import Report, StepDone, heard_by
from ..errors import VeriloopError
from ..generator import Generator, Notes
from ..judge import Judge
from ..learners.base import Learner
from ..rng import START, Stage
from ..rules.schedule import Constant
from ..samples import Samples
from ..verifiers.base import AwaitingVerdicts
from . import seam
from .deadline import Clock
from .gather import Gathered, gather
from .one_round import Context, candidates_of, measure
from .opening import opened
from .plan import Plan
from .witness import Witness

FIRST = 4
"""Rows of the first training; a large model may take seconds for one step on these."""

FEW = 8
"""Rows of an evaluation, and the least number of candidates that are tried."""

MANY = 2_000
"""Largest training, in rows, that is tried unchanged; these can be prepared in seconds."""

TINY = 200
"""Largest number of samples kept in a trial round: enough to time, few enough to be quick."""

TINY_CANDIDATES = 5 * TINY
"""Largest number of candidates in it, unless the acceptance rule needs more from the start."""

FIT, WRITE, EVALUATE = 6.0, 14.0, 6.0
"""Target seconds for a training, an arm's candidates and an evaluation; longer ones are cut short."""

PATIENCE = 35.0
"""Seconds after which a step that cannot be cut short is given up."""

MOST = 0.7
"""The share of the time left that the first candidates may take: if they do not come, there is one to try."""


class Training(NamedTuple):
    """The cost of a training.

    Attributes:
        fixed: Seconds before the first step.
        each: Seconds per row that goes through the model; None if no row was trained on.
        steps: Number of steps taken and the full number, if the learner reports them.
        tokens_per_second: Training speed, if the learner reports tokens.
    """

    fixed: float
    each: float | None
    steps: tuple[int, int] | None = None
    tokens_per_second: float | None = None

    def seconds(self, learner: Learner, n: int) -> float:
        """Return the seconds of a training on ``n`` rows."""
        return self.fixed + (self.each or 0.0) * (learner.rows_seen(n) or n)


class Started(NamedTuple):
    """A model to try the rest with, and the cost of its training.

    Attributes:
        generator: Trained model.
        training: Cost of training the start model.
        rows: Number of rows it was trained on.
    """

    generator: Generator
    training: Training
    rows: int


def start(context: Context, clock: Clock) -> Started | None:
    """Train a start model: the real one if that takes seconds, else one on a few rows.

    Returns:
        The model, or None if there was no time for either.
    """
    whole = context.data.start
    few = whole.select(slice(FIRST))
    more = whole.select(slice(MANY))
    # Where there is nothing to train on, the model is only read: without it there is nothing else to do.
    patience = PATIENCE if len(few) else clock.left
    try:
        tried = clock.give("the start model", patience, lambda: _trained(context, few))
    except VeriloopError:
        # Some learners need more rows than a few.
        return clock.give("the start model", PATIENCE, lambda: _trained(context, more))
    if tried is None or len(whole) <= FIRST:
        return tried
    if tried.training.seconds(context.plan.learner, len(whole)) > FIT and not _can_be_cut(tried.training):
        return tried
    return clock.give("a longer training", PATIENCE, lambda: _trained(context, more)) or tried


def training_of_rounds(context: Context, started: Started, once: "Once", clock: Clock) -> Training:
    """Return the cost of each round's training; that of the start model if it has as many rows.

    Small batches cost more per row than full ones. So if a step is short, training runs for a few seconds on
    as many rows as a round keeps. They repeat the start model's rows, or are candidates if it has none.
    """
    plan, rows = context.plan, context.data.start if started.rows else once.latest
    most = [max(wanted_by(plan, name)) for name, arm in plan.arms.items() if arm.schedule]
    n = min(max(most, default=len(context.data.train)), MANY)
    if rows is None or (started.rows and n < 4 * started.rows):
        return started.training
    if not started.rows:
        n = min(n, FIRST)
    elif not _can_be_cut(started.training):
        return started.training
    train = rows.select(np.arange(n) % len(rows))
    tried = clock.give("the training of a round", PATIENCE, lambda: _trained(context, train))
    return started.training if tried is None else tried.training


def _can_be_cut(training: Training) -> bool:
    """Whether a step is short, so that a training of any length can be ended after a few seconds.

    Rows of a batch go through the model together: a step with n times the rows takes at most n times as long.
    """
    return 8 * FEW * (training.each or 0.0) <= FIT


def _trained(context: Context, rows: Samples) -> Started:
    learner, heard = context.plan.learner, _Steps()
    rng = context.plan.address(START, 0).at(Stage.FIT).rng()
    with heard_by(heard):
        generator = seam.fit(learner, rows, None, rng)
    return Started(generator, heard.training(learner, len(rows)), len(rows))


class _Steps:
    """Listens to a training, and ends it after `FIT` seconds and at least one step."""

    def __init__(self) -> None:
        self._began = self._at = time.monotonic()
        self._first: float | None = None
        self._latest: StepDone | None = None

    def __call__(self, how_far: Report) -> bool:
        self._at = time.monotonic()
        if not isinstance(how_far, StepDone):
            return False
        if self._first is None:
            self._first = self._at
        self._latest = how_far
        return how_far.done > 0 and self._at - self._began > FIT

    def training(self, learner: Learner, n: int) -> Training:
        """Return the time that training on ``n`` rows takes, estimated from the steps seen."""
        total, rows = time.monotonic() - self._began, learner.rows_seen(n) or n
        if not rows:
            return Training(total, None)
        latest, first = self._latest, self._first
        if latest is None or first is None or not latest.done:
            return Training(0.0, total / rows)
        spent = max(self._at - first, 1e-9)
        tokens = latest.tokens / spent if latest.tokens else None
        each = spent / (rows * latest.done / latest.of)
        return Training(first - self._began, each, (latest.done, latest.of), tokens)


class Once(Generator):
    """A model that remembers its samples, so that arms with the same draws sample only once.

    Attributes:
        generator: Model to sample.
        rows: Number of rows drawn.
        tokens: Number of tokens written.
        seconds: Seconds used.
        latest: Rows drawn last; None before the first draw.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator: Generator = generator
        self.rows: int = 0
        self.tokens: int = 0
        self.seconds: float = 0.0
        self.latest: Samples | None = None
        self._drawn: dict[tuple[int, str], tuple[Samples, Notes | None]] = {}
        if hasattr(generator, "sample_with_notes"):
            self.sample_with_notes: Callable[..., Any] = self._draw

    @override
    def sample(self, n: int, rng: np.random.Generator, condition: Samples | None = None) -> Samples:
        return self._draw(n, rng, condition)[0]

    def _draw(
        self, n: int, rng: np.random.Generator, condition: Samples | None
    ) -> tuple[Samples, Notes | None]:
        key = (n, str(rng.bit_generator.state))
        drawn, notes = self._drawn.get(key, (None, None))
        same = drawn is not None and (condition is None or drawn.only(list(condition)).same_as(condition))
        if drawn is None or not same:
            began = time.perf_counter()
            drawn, notes = seam.sample_with_notes(self.generator, n, rng, condition, None)
            self.seconds += time.perf_counter() - began
            self.rows += n
            self.tokens += int(notes.tokens.sum()) if notes and notes.tokens is not None else 0
            self.latest = drawn
            self._drawn[key] = drawn, notes
        return drawn, notes

    @property
    def each(self) -> float:
        """Seconds per row."""
        return self.seconds / max(self.rows, 1)

    @override
    def save(self, directory: Path) -> None:
        self.generator.save(directory)

    @classmethod
    @override
    def load(cls, directory: Path) -> Self:
        raise NotImplementedError  # never sent to another process


@dataclass
class Tried:
    """The outcome of an arm's trial round.

    Attributes:
        gathered: Candidates; None if they were not made and judged in time.
        judge: Judge of the candidates.
        witness: Record of all candidates.
        seconds: Seconds by stage.
        ratio: Number of candidates that the arm's rule asks for at first, per sample to keep.
        waits: What people have to judge first, if the verifier is people.
    """

    gathered: Gathered | None = None
    judge: Judge | None = None
    witness: Witness | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    ratio: float = 1.0
    waits: str = ""


def wanted_by(plan: Plan, name: str) -> list[int]:
    """Return how many samples an arm wants to keep in each round."""
    schedule = plan.arms[name].schedule
    assert schedule is not None  # Arm checks this for arms that train on kept samples.
    return [seam.wanted(schedule, k) for k in range(1, plan.rounds + 1)]


def try_arm(context: Context, once: Once, clock: Clock) -> Tried:
    """Run a trial round of an arm with candidates from ``once``, as many as a few seconds allow."""
    plan, name, tried = context.plan, context.name, Tried()
    arm, address = plan.arms[name], plan.address(name, 1)
    if arm.verifier is not None:
        verifier, began = arm.verifier, time.perf_counter()
        rng = address.at(Stage.UPDATE).rng()
        tried.judge = clock.give(
            f"the verifier of {name}",
            PATIENCE,
            lambda: seam.judge(verifier, None, once.generator, context.data.train, rng),
        )
        if tried.judge is None:
            return tried
        tried.seconds["update"] = time.perf_counter() - began
    opening = opened(plan, name, context.data, address, None)
    selection, limit = opening.selection, opening.limit
    wanted = sum(selection.quota.values())
    tried.ratio = selection.shortfall() / wanted
    few = min(TINY, max(wanted_by(plan, name)))
    whole = min(limit, max(TINY_CANDIDATES, 2 * math.ceil(few * tried.ratio)))
    first = min(whole, FEW)
    _try_candidates(context, once, clock, tried, first, min(PATIENCE, MOST * clock.left))
    if tried.gathered is None and not tried.waits:
        # One shows at least what is written, and what the verifier says of it.
        _try_candidates(context, once, clock, tried, 1, PATIENCE)
        return tried
    if first < whole:
        judging = tried.gathered.seconds["verify"] / first if tried.gathered else 0.0
        spent = (once.each + judging) * whole
        if spent > WRITE:
            if spent * 2 * FEW > WRITE * whole:
                return tried
            whole = 2 * FEW
        _try_candidates(context, once, clock, tried, whole, PATIENCE)
    return tried


ONE_TEXT: dict[str, bool | None] = {
    "samples_per_prompt": None,
    "keep_per_prompt": None,
    "distinct": False,
    "drop_prompts": None,
}
"""Settings of an arm that writes one text for a prompt."""


def _try_candidates(
    context: Context, once: Once, clock: Clock, tried: Tried, most: int, seconds: float
) -> None:
    """Make and judge up to ``most`` candidates as a small round of the arm, and record the outcome."""
    plan, name = context.plan, context.name
    arm, address = plan.arms[name], plan.address(name, 1)
    if most == 1:
        arm = arm.model_copy(update=ONE_TEXT)
    # All texts of a prompt are written together.
    most = -(-most // arm.texts_per_prompt) * arm.texts_per_prompt
    few = min(TINY, max(wanted_by(plan, name)), max(1, int(most / tried.ratio + 1e-9)))
    small = arm.model_copy(update={"schedule": Constant(n=few), "max_candidates": most})
    tiny = replace(context, plan=plan.model_copy(update={"arms": {name: small}}))
    opening = opened(tiny.plan, name, context.data, address, None)
    witness = Witness(opening.selection)

    def made() -> Gathered:
        """Make and judge up to ``most`` candidates."""
        return gather(
            candidates_of(once, tried.judge, opening.pool, tiny, address),
            witness,
            balance=arm.balance,
            chunk_size=plan.chunk_size,
            limit=most,
            keep_rejected=False,
            executor=context.executor,
            report=lambda counts: None,
            hopeless_after=arm.hopeless_after,
        )

    try:
        what = f"{most} candidates of {name}" if most > 1 else f"a candidate of {name}"
        gathered = clock.give(what, seconds, made)
    except AwaitingVerdicts as waiting:
        tried.waits = str(waiting)
        return
    if gathered is not None:
        tried.gathered, tried.witness, tried.waits = gathered, witness, ""
        tried.seconds |= gathered.seconds


def try_evaluation(context: Context, once: Once, clock: Clock) -> float | None:
    """Return the seconds that the evaluation of a model takes; None if it was not measured."""
    data, plan = context.data, context.plan
    splits = [data.test] + ([data.validation] if data.validation is not None and plan.metrics else [])
    sizes = [_measured(plan, data.test_conditions is not None, split) for split in splits]
    rows = sizes[0]
    if once.each * rows > EVALUATE:
        rows = min(rows, max(2, min(FEW, int(EVALUATE / once.each))))
    test, conditions = data.test, data.test_conditions
    if rows < sizes[0] and conditions is not None:
        test, conditions = test.select(slice(rows)), conditions.select(slice(rows))
    small = replace(context, plan=plan.model_copy(update={"evaluation_samples": rows}))
    address = plan.address(START, 0).at(Stage.EVALUATE)
    began = time.perf_counter()
    try:
        done = clock.give(
            "an evaluation",
            PATIENCE,
            lambda: measure(once.generator, small, "test", test, conditions, address),
        )
    except VeriloopError as e:
        # Some metrics need more rows than a few; a real run gives them these.
        clock.missed.append(f"an evaluation, on {rows} rows only ({e})")
        return None
    if done is None:
        return None
    return (time.perf_counter() - began) * sum(sizes) / rows


def _measured(plan: Plan, prompted: bool, split: Samples) -> int:
    return min(plan.evaluation_samples, len(split)) if prompted else plan.evaluation_samples
