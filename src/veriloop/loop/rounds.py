"""Run several arms from one start model, round by round, in a folder that survives any kill, or in memory.

The state of an arm is what its store holds. `_advance` computes each (arm, round) from it, in any process, so
a resumed run does exactly what an uninterrupted one would have done.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, overload

import numpy as np

from ..datasets.base import RealData
from ..errors import ReadOnlyError, VeriloopError
from ..events import (
    ArmStopped,
    Event,
    Noted,
    RoundFinished,
    RunEnded,
    RunStarted,
    SettingsChosen,
    StopRuleMet,
)
from ..executors._retry import told_of_lost_workers
from ..executors.base import Executor
from ..executors.serial import Serial
from ..executors.threads import limit_threads
from ..guarded.kept import keeping
from ..peak_memory import peak_memory
from ..records import RoundRecord
from ..rng import START
from ..samples import Samples
from ..store.folder import RunFolder
from ..verifiers.base import AwaitingVerdicts
from . import seam
from .check import check_data, checked
from .data import load_data
from .gather import condition_rows
from .memory import MemoryRun
from .notify import Notifier
from .one_round import SHOWN, ArmStop, CannotGoOn, Context, begin, step
from .plan import Plan, quantities_of
from .starts import Starts
from .stores import FolderStore, Resume, Store
from .tracking import tracking

Listen = Callable[[Event], None]


class StopAsked(VeriloopError):
    """Somebody has asked the run to stop after its round."""


@overload
def run(
    plan: Plan,
    out: Path | str,
    *,
    resume: Resume = "never",
    accept_changes: bool = False,
    listen: Listen | None = None,
    starts: Path | None = None,
) -> RunFolder: ...
@overload
def run(
    plan: Plan,
    out: MemoryRun | None,
    *,
    resume: Resume = "never",
    listen: Listen | None = None,
    starts: Path | None = None,
) -> MemoryRun: ...
def run(
    plan: Plan,
    out: Path | str | MemoryRun | None,
    *,
    resume: Resume = "never",
    accept_changes: bool = False,
    listen: Listen | None = None,
    starts: Path | None = None,
) -> RunFolder | MemoryRun:
    """Run ``plan`` to its end, in the folder ``out``, or in memory when ``out`` is None.

    Args:
        plan: Plan to run.
        out: Run folder, created if missing. When None, no files are written: the result holds the records and
            the last round of each arm, or all rounds with ``MemoryRun(every_round=True)``.
        resume: How to treat an existing run: refuse it (``never``), require it (``always``), or continue it
            if there is one (``if-possible``).
        accept_changes: Whether to continue a run even though files that it depends on have changed, and note
            the change in its manifest.
        listen: Called with each event of this process. Events of worker processes are in the folder only.
        starts: Folder of start models that several runs share: this plan's start model is read from it, or
            written to it. It does not change any result.

    Returns:
        The folder with all records. If its manifest says ``waiting``, rounds that need verdicts from people
        are missing; call again with ``resume="always"`` once they have judged. Without a folder, the run in
        memory.

    Raises:
        RunFolderError: There is a run and there should be none, or the other way round; it has another
            configuration, depends on files that have changed, or another process is writing to it.
        AwaitingVerdicts: A run in memory needs verdicts from people first.
        VeriloopError: Something is wrong with the plan, and nothing was computed; or a round failed, the
            finished rounds are safe, and the run can be resumed.
    """
    out = MemoryRun() if out is None else out
    store = out if isinstance(out, MemoryRun) else FolderStore(Path(out), accept_changes)
    store.check_free(plan, resume)
    if isinstance(store, FolderStore) and store.is_over(plan):
        # With the lock held, remove what killed processes left behind, if this user may write here.
        with suppress(ReadOnlyError), store.folder.lock(), tracking(plan, store) as track:
            track(RunEnded(status="finished"))
        return store.folder
    found = checked(plan)
    suited, notes = found.plan, found.notes
    check_data(suited, load_data(plan.dataset, plan.seed))
    notifier = Notifier(plan.notify)
    with _calling(notifier, store):
        _carried_out(plan, suited, store, listen, notes, starts, notifier)
    return store if isinstance(store, MemoryRun) else store.folder


@contextmanager
def _calling(notifier: Notifier, store: Store) -> Iterator[None]:
    """Call the user's command once the run has ended, in any way, and released its folder."""
    try:
        yield
    finally:
        if isinstance(store, FolderStore):
            notifier.call(store.folder, store.emit)


def _carried_out(
    plan: Plan,
    suited: Plan,
    store: Store,
    listen: Listen | None,
    notes: Mapping[str, Sequence[str]],
    starts: Path | None,
    notifier: Notifier,
) -> None:
    # Once for all rounds, because finding and setting the libraries' thread counts takes time.
    with limit_threads(plan.threads), keeping(), store.writing(plan), tracking(plan, store) as track:
        listen = _Both(track, _Both(notifier.hear, listen))
        try:
            with _status(store, listen), told_of_lost_workers(_Both(store.emit, listen)):
                _run_rounds(suited, store, listen, notes, None if starts is None else Starts(starts))
        except StopAsked:
            pass
        except AwaitingVerdicts:
            if isinstance(store, MemoryRun):
                raise


def _run_rounds(
    plan: Plan,
    store: Store,
    listen: Listen | None,
    notes: Mapping[str, Sequence[str]],
    starts: Starts | None,
) -> None:
    tell = _Both(store.emit, listen)
    records = store.records()
    done = {(r.arm, r.round) for r in records}
    chains = {arm: sorted((r for r in records if r.arm == arm), key=lambda r: r.round) for arm in plan.arms}
    tell(RunStarted(resumed=len(done), total=sum(plan.last_round(arm) + 1 for arm in plan.arms)))
    for part, lines in notes.items():
        for note in lines:
            tell(Noted(part=part, note=note))
    store.set_status("running")

    def commit(record: RoundRecord, left: Any, peak_memory_mb: float) -> None:
        """Store a finished round, and emit the event."""
        store.commit(record, left)
        chains[record.arm].append(record)
        tell(RoundFinished(arm=record.arm, round=record.round, peak_memory_mb=peak_memory_mb))

    plan = _settled(plan, store, tell)
    if missing := [arm for arm in plan.arms if (arm, 0) not in done]:
        _begin(plan, store, missing, tell, commit, starts)
    stopped = set(store.stopped_arms())
    chunk_executor, arm_executor = Serial(), plan.executor
    if plan.parallel == "chunks":
        chunk_executor, arm_executor = arm_executor, chunk_executor
    shared = _Shared(plan, store, chunk_executor)
    for number in range(1, plan.rounds + 1):
        for arm in plan.arms:
            if number <= plan.last_round(arm) and (arm, number) not in done and arm not in stopped:
                stopped |= _stop_by_rule(plan, store, chains[arm], arm, tell)
        todo = [
            _Item(arm, number)
            for arm in plan.arms
            if number <= plan.last_round(arm) and (arm, number) not in done and arm not in stopped
        ]
        waiting: list[AwaitingVerdicts] = []
        ended: dict[str, CannotGoOn] = {}
        for item, result in zip(todo, seam.mapped(arm_executor, _advance, todo, shared), strict=True):
            if isinstance(result, AwaitingVerdicts):
                waiting.append(result)
            elif isinstance(result, ArmStop):
                store.stop_arm(item.arm, str(result))
                stopped.add(item.arm)
                tell(ArmStopped(arm=item.arm, round=number, reason=str(result)))
            elif isinstance(result, CannotGoOn):
                ended[item.arm] = result
            else:
                commit(*result)
        if ended:
            _leave_out(plan, store, ended, stopped, number, tell)
        if waiting:
            together = AwaitingVerdicts.together(waiting)
            together.ask()
            if store.asked_to_stop():
                raise StopAsked(f"in round {number}, which waits for people, as asked")
            raise together
        if todo and number < plan.rounds and store.asked_to_stop():
            raise StopAsked(f"after round {number}, as asked")


def _settled(plan: Plan, store: Store, tell: Listen) -> Plan:
    """Return the plan with the settings that the run chose on its first machine."""
    settings = store.settled()
    if not settings:
        settings, why = seam.settled(plan.learner)
        if not settings:
            return plan
        store.settle(settings)
        if why:
            tell(SettingsChosen(settings={name: str(value) for name, value in settings.items()}, why=why))
    return plan.model_copy(update={"learner": plan.learner.model_copy(update=dict(settings))})


def _stop_by_rule(plan: Plan, store: Store, chain: Sequence[RoundRecord], arm: str, tell: Listen) -> set[str]:
    """Return ``arm`` if its stop rule is met, else an empty set.

    The rule sees only the arm's finished rounds, before each round rather than after it, so a run that was
    killed in between makes the same decision when it is resumed.
    """
    rule = plan.arms[arm].stop
    decision = rule and rule.decide(chain, quantities_of(plan.metrics))
    if not rule or not decision:
        return set()
    last = chain[-1].round
    tell(StopRuleMet(arm=arm, round=last, when=rule.when, evidence=decision.evidence))
    store.stop_arm(arm, decision.reason)
    tell(ArmStopped(arm=arm, round=last, reason=decision.reason))
    return {arm}


def _leave_out(
    plan: Plan, store: Store, ended: Mapping[str, CannotGoOn], stopped: set[str], round_: int, tell: Listen
) -> None:
    """End the arms in ``ended``, and let the others continue.

    Raises:
        CannotGoOn: No arm is left. A resume tries this round again, since a service may answer by then.
    """
    chains = {name for name, arm in plan.arms.items() if arm.train_on == "kept"}
    if chains <= stopped | set(ended):
        raise next(iter(ended.values()))
    for arm, error in ended.items():
        store.stop_arm(arm, str(error))
        stopped.add(arm)
        tell(ArmStopped(arm=arm, round=round_, reason=str(error)))


class _Shared(NamedTuple):
    plan: Plan
    store: Store
    chunk_executor: Executor


class _Item(NamedTuple):
    arm: str
    round: int


class _Done(NamedTuple):
    record: RoundRecord
    left: Any
    peak_memory_mb: float


def _begin(
    plan: Plan,
    store: Store,
    arms: Sequence[str],
    tell: Listen,
    commit: Callable[[RoundRecord, Any, float], None],
    starts: Starts | None,
) -> None:
    """Train the start model once, as round 0 of each of ``arms``."""
    data = load_data(plan.dataset, plan.seed)
    with limit_threads(plan.threads):
        state, record = begin(Context(plan, START, data, Serial(), tell), starts)
    store.show(_for_show(data))
    for arm in arms:
        commit(record.model_copy(update={"arm": arm}), store.leave(plan, arm, state), _peak_memory_mb())


def _for_show(data: RealData) -> Samples:
    """Return some held-out real samples, with conditions in the same order as the shown generated ones."""
    names = [name for name in data.conditions or () if name in data.test and np.ndim(data.test[name]) == 1]
    if data.conditions is None or data.test_conditions is not None or not names:
        return data.test.select(slice(SHOWN))
    column = np.asarray(data.test[names[0]])
    pools = {value: iter(np.flatnonzero(column == value)) for value in np.unique(column)}
    asked = condition_rows(data.conditions, 0, SHOWN)
    rows = [next(pools.get(value, iter(())), None) for value in np.asarray(asked and asked[names[0]])]
    like_them = [row for row in rows if row is not None]
    return data.test.select(np.array(like_them) if like_them else slice(SHOWN))


def _advance(shared: _Shared, item: _Item) -> "_Done | ArmStop | CannotGoOn | AwaitingVerdicts":
    """Compute one round from the store, and leave it there for the committing process."""
    plan, store = shared.plan, shared.store
    context = Context(
        plan,
        item.arm,
        load_data(plan.dataset, plan.seed),
        shared.chunk_executor,
        store.emit,
        store.chunks(plan, item.arm, item.round),
        lambda name, split: store.rows(0, item.arm, name, split),
    )
    with limit_threads(plan.threads):
        try:
            state, record = step(store.state(plan, item.arm, item.round - 1), context)
        except (ArmStop, CannotGoOn, AwaitingVerdicts) as instead:
            return instead
        return _Done(record, store.leave(plan, item.arm, state), _peak_memory_mb())


@contextmanager
def _status(store: Store, listen: Listen | None) -> Iterator[None]:
    """Record in the store how the run ended, unless the process is killed."""
    tell = _Both(store.emit, listen)

    def end(status: Literal["finished", "waiting", "stopped", "failed"], reason: str | None = None) -> None:
        """Set the status of the run, and emit the event."""
        store.set_status(status, reason)
        tell(RunEnded(status=status, reason=reason))

    try:
        yield
    except AwaitingVerdicts as waiting:
        end("waiting", str(waiting))
        raise
    except StopAsked as asked:
        end("stopped", str(asked))
        raise
    except KeyboardInterrupt:
        end("stopped", "interrupted")
        raise
    except BaseException as e:
        # Even this may fail on a full disk; the original error matters more.
        try:
            end("failed", f"{type(e).__name__}: {e}")
        except VeriloopError as also:
            e.add_note(str(also))
        raise
    end("finished")


class _Both:
    """Sends events to the folder, and to a listener if there is one."""

    def __init__(self, emit: Listen, listen: Listen | None) -> None:
        self._emit, self._listen = emit, listen

    def __call__(self, event: Event) -> None:
        self._emit(event)
        if self._listen is not None:
            self._listen(event)


_peak = (-math.inf, 0.0)
"""Time and value of the last look at this process's peak memory, which can take a millisecond."""


def _peak_memory_mb() -> float:
    """Return the peak memory of this process, as of at most a second ago."""
    global _peak
    now = time.monotonic()
    if now - _peak[0] > 1:
        _peak = (now, peak_memory() / 2**20)
    return _peak[1]
